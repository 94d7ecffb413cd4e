import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { parseSettings } from '../../src/fleet/settings-file.ts';
import { Releasers } from '../../src/lifecycle/releasers.ts';
import { temporaryFolder } from '../support/proxy.ts';
import { silent } from '../support/store.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);
let releasers: Releasers;
let dir: string;

beforeEach(async () => {
  releasers = new Releasers();
  dir = await temporaryFolder(releasers);
});
afterEach(() => releasers.releaseAll(silent));

/** What the command hands to the program, but for what every shell sets. */
async function environmentWith(settings: string, env: Record<string, string> = {}): Promise<Record<string, string>> {
  const shell = await readFile(join(ROOT, 'deploy/try-it-now.sh'), 'utf8');
  const file = join(dir, 'settings.env');
  await writeFile(file, settings);
  await writeFile(
    join(dir, 'command'),
    shell.replace('/etc/try-it-now/try-it-now.env', file).replace(/^exec .*$/m, 'exec env -0'),
  );
  const { stdout } = await run('/bin/sh', [join(dir, 'command')], { env });
  const pairs = stdout.split('\0').filter((pair) => pair !== '');
  const { PWD: _, ...seen } = Object.fromEntries(
    pairs.map((pair) => [pair.replace(/=[^]*/, ''), pair.replace(/^[^=]*=/, '')] as const),
  );
  return seen;
}

it('takes the settings of the services, and those of the caller before them', async () => {
  const settings = [
    '# a comment',
    '',
    'BASE_DOMAIN=demo.example.org',
    'PUBLIC_URL="https://try.example.org"',
    'API_KEY_FILE=/etc/key',
    'OPERATOR_KEYS=of the file',
    'LOG_LEVEL=debug',
    'LOG_LEVEL=info',
    '  not a setting',
    'DATABASE_USER=a b $(touch /tmp/never) `id`',
  ].join('\n');
  const own = { LOG_LEVEL: 'warn', API_KEY: 'my own', OPERATOR_KEYS_FILE: '/my/keys' };
  expect(await environmentWith(settings, own)).toEqual({
    ...own,
    BASE_DOMAIN: 'demo.example.org',
    PUBLIC_URL: 'https://try.example.org',
    DATABASE_USER: 'a b $(touch /tmp/never) `id`',
  });
});

it('reads a file as systemd does: of a name that stands twice the last line counts, blanks around do not', async () => {
  const settings = [
    'BASE_DOMAIN=localhost',
    'BASE_DOMAIN=demo.example.org',
    '  TRUSTED_PROXIES =\t127.0.0.1,::1 \t',
    'PUBLIC_URL="https://try.example.org"\r',
    "SITE_NAME=' with blanks '  ",
    '; a comment=of systemd',
    'CHECKPOINT_DIR=/srv/a',
    'CHECKPOINT_DIR=',
    'LOG_LEVEL=info # not a comment',
    'POOL_TARGET_SIZE=3',
  ].join('\n');
  const asSystemd = {
    BASE_DOMAIN: 'demo.example.org',
    TRUSTED_PROXIES: '127.0.0.1,::1',
    PUBLIC_URL: 'https://try.example.org',
    SITE_NAME: ' with blanks ',
    CHECKPOINT_DIR: '',
    LOG_LEVEL: 'info # not a comment',
    POOL_TARGET_SIZE: '3',
  };
  expect(Object.fromEntries(parseSettings(settings))).toEqual(asSystemd);
  expect(await environmentWith(settings)).toEqual(asSystemd);
});

it('refuses what the services refuse: a secret by itself and by a file', async () => {
  const both = await environmentWith('API_KEY=one\nAPI_KEY_FILE=/etc/key\n');
  expect(both).toEqual({ API_KEY: 'one', API_KEY_FILE: '/etc/key' });
  expect(() => loadConfig(both, () => 'of the file')).toThrow(/API_KEY_FILE/);
});

it.each(['deploy/try-it-now.env', 'deploy/compose/.env', 'deploy/compose/fleet/.env'])(
  'finds no name twice in %s, once every line counts',
  async (path) => {
    const lines = (await readFile(join(ROOT, path), 'utf8')).matchAll(/^#?([A-Z][A-Z0-9_]*)=/gm);
    const names = Array.from(lines, ([, name = '']) => name);
    expect(names.length).toBeGreaterThan(0);
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
  },
);
