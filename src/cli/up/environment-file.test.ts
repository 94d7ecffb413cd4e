import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { environmentFile } from './environment-file.ts';

const read = (text: string, name: string): string =>
  execFileSync('/bin/sh', ['-c', `eval "$0"; printf %s "$${name}"`, text], { encoding: 'utf8', env: {} });

it.each(["it's", '$(touch /tmp/x)', '`id`', 'two\nlines', '"', '\\'])('gives a shell %j back as it was', (value) => {
  expect(read(environmentFile({ NODE_NAME: value }), 'NODE_NAME')).toBe(value);
});

it('names our own settings and their files alone, and leaves out what is empty', () => {
  const text = environmentFile({ PATH: '/bin', NODE_NAME: '', API_KEY_FILE: '/run/key', VALKEY_ADDR: '127.0.0.1:1' });
  expect(text).not.toMatch(/PATH=|NODE_NAME/);
  expect([read(text, 'API_KEY_FILE'), read(text, 'VALKEY_ADDR')]).toEqual(['/run/key', '127.0.0.1:1']);
});
