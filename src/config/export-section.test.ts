import { describe, expect, it } from 'vitest';
import { TryItNowError } from '../domain/errors.ts';
import type { Template } from '../domain/template.ts';
import { loadConfig } from './load.ts';

function read(exported: string): Template['export'] {
  const file = `templates:\n  - { name: app, image: app, port: 80, export: ${exported} }`;
  return loadConfig({ TEMPLATES_FILE: 'apps.yaml' }, () => file).config.templates[0]?.export;
}

function problemsOf(exported: string): unknown {
  try {
    return read(exported);
  } catch (error) {
    return error instanceof TryItNowError ? error.details?.['problems'] : error;
  }
}

describe('export', () => {
  it('is a command or a path, and has defaults', () => {
    expect(read('{ exec: [zip, -r, "-", /data], file: data.zip }')).toEqual({
      kind: 'exec',
      command: ['zip', '-r', '-', '/data'],
      file: 'data.zip',
      mediaType: 'application/octet-stream',
      maxBytes: 100 * 2 ** 20,
      timeoutMs: 120_000,
    });
    expect(read('{ http: /save?a, file: a.json, type: application/json, max_size: 1KiB, timeout: 1s }')).toEqual({
      kind: 'http',
      path: '/save?a',
      file: 'a.json',
      mediaType: 'application/json',
      maxBytes: 1_024,
      timeoutMs: 1_000,
    });
  });

  it.each([
    ['{ file: a }', /export has neither exec nor http/],
    ['{ http: /a, exec: [b], file: a }', /export has both exec and http/],
    ['{ http: /a }', /export\.file is missing/],
    ['{ http: /a, file: ../a }', /export\.file is "\.\.\/a"; it must be a file name of up to 100 letters/],
    ['{ http: /a, file: "a\\r\\nb" }', /export\.file is .*; it must be a file name/],
    ['{ http: /a, file: a, type: "text/html; x" }', /export\.type is .*; it must be a media type, such as/],
    ['{ http: /a, file: a, max_size: 5GiB }', /export\.max_size is "5GiB"; it must be .* from 1KiB to 4GiB/],
    ['{ http: /a, file: a, timeout: 2h }', /export\.timeout is "2h"; it must be a duration from 1s to 1h/],
    ['{ http: /a, file: a, name: b }', /export\.name is not known/],
    ['/a', /export/],
  ])('%s is refused with one message that says what to change', (exported, message) => {
    expect(problemsOf(exported)).toEqual([expect.stringMatching(message) as string]);
  });
});
