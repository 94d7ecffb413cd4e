import { execFile } from 'node:child_process';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { Cleanups, ownFolder } from '../support/deployment.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): Promise<string> => readFile(join(ROOT, path), 'utf8');

/** As dpkg and systemd answer after an install of Debian's caddy, whose second unit is not enabled, and of MariaDB. */
const PROGRAMS = {
  'dpkg-query': `#!/bin/sh
case $2 in
  caddy) printf '%s\\n' /usr/bin/caddy /lib/systemd/system/caddy.service /lib/systemd/system/caddy-api.service ;;
  mariadb-server) printf '%s\\n' /lib/systemd/system/mariadb.service /lib/systemd/system/mariadb@.service ;;
esac
`,
  systemctl: `#!/bin/sh
case "$*" in
  'is-enabled caddy-api.service') echo disabled; exit 1 ;;
  is-enabled*) echo enabled ;;
  *) echo "$*" >>"$0.calls" ;;
esac
`,
};

it('says which services it leaves off, and what has them start', async () => {
  await using cleanups = new Cleanups('the set-up');
  const folder = await ownFolder(cleanups, 'tin-services-');
  for (const [name, text] of Object.entries(PROGRAMS)) {
    await writeFile(join(folder, name), text);
    await chmod(join(folder, name), 0o755);
  }
  const script = `set -eu; work=${folder} debian=12 left_off=(); say() { printf '%s\\n' "$*"; }; as_root() { "$@"; }
    . ${join(ROOT, 'scripts/setup/apt.sh')}; tell_what_is_off; disable_services caddy mariadb-server; tell_what_is_off`;
  const env = { PATH: `${folder}:${process.env['PATH'] ?? ''}` };
  const { stdout } = await promisify(execFile)('bash', ['--norc', '-c', script], { env });
  expect(stdout).toMatch(/^[^\n]*: caddy mariadb\. [^\n]*systemctl enable --now NAME[^\n]*\n$/);
  expect(await readFile(join(folder, 'systemctl.calls'), 'utf8')).toMatch(/^disable .*caddy\.service$/m);
  expect(await read('scripts/setup.sh')).toContain('  tell_what_is_off');
});

it('leaves nothing off that the documents do not have an installation enable', async () => {
  const page = await read('docs/deployment.md');
  const enabled = new Set(
    [...page.matchAll(/systemctl enable (?:--now )?([\w -]+)/g)].flatMap(([, names = '']) => names.trim().split(' ')),
  );
  const used = [...(await read('deploy/systemd/try-it-now.service')).matchAll(/^After=(.*)$/gm)]
    .flatMap(([, names = '']) => names.split(' '))
    .flatMap((name) => /^([\w-]+)\.service$/.exec(name)?.[1] ?? [])
    // In their place an installation has servers of its own.
    .filter((name) => !['valkey-server', 'nats-server'].includes(name));
  expect(used.filter((name) => !enabled.has(name))).toEqual([]);
  expect(used).toContain('caddy');
  for (const command of ['enable caddy', 'enable --now try-it-now-valkey'])
    expect(await read('scripts/install.sh')).toContain(`systemctl ${command}`);
});
