import { execFile } from 'node:child_process';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Releasers } from '../../src/lifecycle/releasers.ts';
import { temporaryFolder } from '../support/proxy.ts';
import { silent } from '../support/store.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SETTINGS = '/etc/try-it-now/try-it-now.env';
const run = promisify(execFile);
let releasers: Releasers;
let dest: string;

beforeEach(async () => {
  releasers = new Releasers();
  dest = await temporaryFolder(releasers);
});
afterEach(() => releasers.releaseAll(silent));

const installed = (path: string): string => join(dest, path);
const prefix = (): string => installed('/opt/try-it-now');
const text = (path: string): Promise<string> => readFile(installed(path), 'utf8');

/** On a host of its own, whose settings name real files: its /etc, /usr/local and /run are folders of `dest`. */
async function onHost(env: Record<string, string> = {}, node = process.execPath): Promise<string> {
  const host =
    'dest=$1; touch "$dest/node"; mount --bind "$2" "$dest/node"; shift 2; ' +
    'for folder in etc usr/local run; do mkdir -p "$dest/$folder"; mount --bind "$dest/$folder" "/$folder"; done; ' +
    'exec "$@"';
  const install = ['sh', dest, node, join(ROOT, 'scripts/install.sh')];
  const PATH = `${dest}:${process.env['PATH'] ?? ''}`;
  return (await run('unshare', ['--mount', 'sh', '-ec', host, ...install], { env: { PATH, PREFIX: prefix(), ...env } }))
    .stdout;
}

const refusal = (...said: readonly string[]) => ({
  stderr: expect.toSatisfy((stderr: string) => said.every((each) => stderr.includes(each))) as string,
});

it('changes nothing where the program that comes refuses the settings or files of the host', async () => {
  await onHost();
  const sound = await text(SETTINGS);
  await writeFile(join(prefix(), 'dist/of-another-version.js'), '');
  const before = await readdir(dest, { recursive: true });
  const templates = installed('/etc/try-it-now/templates.yaml');

  await writeFile(installed(SETTINGS), `${sound}\nPOOL_TARGET_SIZE=none\n`);
  await expect(onHost()).rejects.toMatchObject(
    refusal("refuses this host's settings", 'POOL_TARGET_SIZE', 'Nothing was changed', 'UNCHECKED=1'),
  );
  // As where the older version lacks a key that the newer has.
  await writeFile(installed(SETTINGS), `${sound}\nTEMPLATES_FILE=/etc/try-it-now/templates.yaml\n`);
  await writeFile(templates, 'templates: [{ name: shop, image: app, port: 80, shown_before: 3d }]\n');
  await expect(onHost()).rejects.toMatchObject(refusal("refuses this host's settings", 'shown_before'));
  await writeFile(templates, 'templates: [{ name: shop, image: app, port: 80 }]\n');
  await rm(installed('/etc/try-it-now/secrets/api-key'));
  await expect(onHost()).rejects.toMatchObject(refusal("refuses this host's settings", 'API_KEY_FILE'));
  expect((await readdir(dest, { recursive: true })).filter((path) => !/templates\.yaml$/.test(path))).toEqual(
    before.filter((path) => !path.endsWith('/api-key')),
  );

  expect(await onHost({ UNCHECKED: '1' })).toMatch(/refuses this host's settings[^]*installed all the same/);
  expect(await readdir(join(prefix(), 'dist'))).not.toContain('of-another-version.js');
});

it('goes on where they are sound, and names what does nothing', async () => {
  await onHost();
  await writeFile(installed(SETTINGS), `${await text(SETTINGS)}\nPOOL_TARGETS_SIZE=3\n`);
  expect(await onHost()).toMatch(/^Note: .*POOL_TARGETS_SIZE[^]*Nothing was started/);
});

it('asks as a worker where it is one', async () => {
  await onHost({ ROLE: 'worker' });
  await writeFile(installed(SETTINGS), 'CONTAINER_MODE=none\n');
  await expect(onHost()).rejects.toMatchObject(refusal("refuses this host's settings", 'try-it-now serve'));
  await writeFile(installed(SETTINGS), 'CONTAINER_MODE=simulated\n');
  await onHost();
});

it('refuses a program that does not run here', async () => {
  await onHost();
  // As a Node that is too old for it.
  await writeFile(join(dest, 'old-node'), '#!/bin/sh\necho SyntaxError >&2\nexit 1\n', { mode: 0o755 });
  await expect(onHost({}, join(dest, 'old-node'))).rejects.toMatchObject(
    refusal('does not run on this host', 'SyntaxError', 'Nothing was changed'),
  );
});
