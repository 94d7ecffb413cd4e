import type { Static } from 'typebox';
import type { Environment } from '../../config/environment.ts';
import { ParseError, duration } from '../../config/parsers.ts';
import { TryItNowError } from '../../domain/errors.ts';
import { PreviewBody, PreviewsBody } from '../../http/admin/preview-routes.ts';
import { AdminClient } from '../admin-client.ts';
import { plainTable, printJson } from '../output.ts';
import type { JsonOptions } from './queue-commands.ts';
import { distance, stripControlCharacters } from './text.ts';

export interface PutOptions extends JsonOptions {
  readonly from: string;
  readonly image: string;
  readonly title?: string;
  readonly for?: string;
  readonly until?: string;
}

type Preview = Static<typeof PreviewBody>;

const FOR = duration('1m', '365d', '14d');

export async function listPreviews(env: Environment, { json }: JsonOptions): Promise<void> {
  const answer = await new AdminClient(env).ask(PreviewsBody, 'GET', '/previews');
  if (json === true) {
    printJson(answer);
    return;
  }
  if (answer.previews.length === 0) {
    console.log('There are no previews.');
    return;
  }
  const table = plainTable(['PREVIEW', 'OF', 'IMAGE', 'STATE', 'READY', 'VISITORS', 'ENDS IN', 'PUT BY']);
  for (const preview of answer.previews) {
    const { name, from, image, state, ready, visitors, ends, by } = preview;
    const end = state === 'ended' ? 'ended' : distance(ends);
    table.push([name, from, image, state, ready, visitors, end, stripControlCharacters(by ?? 'unknown')]);
  }
  console.log(table.toString());
  for (const { name, state, why } of answer.previews)
    if (why !== null) console.log(`\n${name} is ${state}: ${stripControlCharacters(why)}`);
}

export async function putPreview(env: Environment, name: string, options: PutOptions): Promise<void> {
  const { from, image, title, until } = options;
  const preview = await new AdminClient(env).ask(PreviewBody, 'PUT', path(name), {
    ...{ from, image },
    ...(title === undefined ? {} : { title }),
    ...(until === undefined ? {} : { ends_at: until }),
    ...(options.for === undefined ? {} : { for_seconds: secondsOf(options.for) }),
  });
  if (options.json === true) printJson(preview);
  else tell(preview);
}

export async function removePreview(env: Environment, name: string): Promise<void> {
  await new AdminClient(env).send('DELETE', path(name));
  console.log(`${name} is not offered any more; nothing of it is left once those who visit one have gone.`);
}

function tell({ name, from, image, state, why, ends, url }: Preview): void {
  console.log(`${name} is ${state}: a copy of ${from} with the image ${image}, for ${distance(ends)}.`);
  if (why !== null) console.log(stripControlCharacters(why));
  console.log(`Visitors click at ${url}`);
}

function path(name: string): string {
  return `/previews/${encodeURIComponent(name)}`;
}

function secondsOf(text: string): number {
  const value = FOR.parse(text);
  if (value instanceof ParseError)
    throw new TryItNowError('invalid_request', `--for is ${JSON.stringify(text)}; it must be ${FOR.expects}`);
  return Math.ceil(value / 1_000);
}
