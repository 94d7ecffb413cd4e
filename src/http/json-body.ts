import { TryItNowError } from '../domain/errors.ts';
import type { App } from './context.ts';

/**
 * JSON bodies only, and nothing at all counts as no body whatever its Content-Type says: `curl -X POST -d ''` is fine.
 */
export function acceptJsonBodies(app: App): void {
  const parseJson = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body.trim() === '') done(null, undefined);
    else void parseJson(request, body, done);
  });
  app.addContentTypeParser<Buffer>('*', { parseAs: 'buffer' }, (request, body, done) => {
    if (body.length === 0) done(null, undefined);
    else
      done(
        new TryItNowError(
          'unsupported_media_type',
          `A body of type ${contentType(request.headers['content-type'])} is not taken here; send application/json`,
        ),
        undefined,
      );
  });
}

function contentType(header: string | undefined): string {
  return header === undefined ? '(none named)' : JSON.stringify(header.slice(0, 100));
}
