import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { environmentFile, howToRead } from './environment-file.ts';

const read = (text: string, name: string): string =>
  execFileSync('/bin/sh', ['-c', `eval "$0"; printf %s "$${name}"`, text], { encoding: 'utf8', env: {} });

it.each(["it's", '$(touch /tmp/x)', '`id`', 'two\nlines', '"', '\\'])('gives a shell %j back as it was', (value) => {
  expect(read(environmentFile({ NODE_NAME: value }), 'NODE_NAME')).toBe(value);
});

it('logs the tools of the servers in, with the password among no arguments', () => {
  const folder = mkdtempSync(join(tmpdir(), "try-it-now-it's-"));
  try {
    const [file, program] = [join(folder, 'password'), join(folder, 'valkey-cli')];
    writeFileSync(file, 'drawn\n');
    writeFileSync(program, '#!/bin/sh\necho "$REDISCLI_AUTH" "$@"\n', { mode: 0o755 });
    const text = environmentFile({ VALKEY_ADDR: '127.0.0.1:7', VALKEY_PASSWORD_FILE: file });
    writeFileSync(join(folder, 'environment'), text);
    writeFileSync(join(folder, 'session'), '. ./environment\nvalkey-cli ping\n');
    const said = execFileSync('/bin/sh', ['-c', '. ./session'], {
      cwd: folder,
      encoding: 'utf8',
      env: { PATH: `${folder}:/usr/bin:/bin` },
    });
    expect(said).toBe('drawn -u redis://127.0.0.1:7 ping\n');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('names our own settings and their files alone, and leaves out what is empty', () => {
  const text = environmentFile({ PATH: '/bin', NODE_NAME: '', API_KEY_FILE: '/run/key', VALKEY_ADDR: '127.0.0.1:1' });
  expect(text).not.toMatch(/PATH=|NODE_NAME/);
  expect([read(text, 'API_KEY_FILE'), read(text, 'VALKEY_ADDR')]).toEqual(['/run/key', '127.0.0.1:1']);
});

it('is for root to read where sudo made it', () => {
  expect(['', 'somebody', undefined].map((SUDO_USER) => howToRead('/tmp/a', { SUDO_USER }))).toEqual([
    'from another terminal: . /tmp/a',
    'as root (sudo -s), from another terminal: . /tmp/a',
    'from another terminal: . /tmp/a',
  ]);
});
