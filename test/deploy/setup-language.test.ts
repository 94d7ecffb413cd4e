import { execFile } from 'node:child_process';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { Cleanups, ownFolder } from '../support/deployment.ts';

const APT = fileURLToPath(new URL('../../scripts/setup/apt.sh', import.meta.url));

/** Another apt has the lock at first. It says so in German, as apt's own catalogue does, unless asked for English. */
const APT_GET = `#!/bin/sh
echo "$*" >>"$0.calls"
[ "$(wc -l <"$0.calls")" -gt 1 ] && exit 0
case $LC_ALL in
  C*) echo 'E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (apt-get)' ;;
  *) echo 'E: Sperre /var/lib/apt/lists/lock konnte nicht bezogen werden. Wird durch Prozess 7 (apt-get) gehalten' ;;
esac
exit 100
`;

it('waits for another apt, whatever language the machine speaks', async () => {
  await using cleanups = new Cleanups('the set-up');
  const folder = await ownFolder(cleanups, 'tin-apt-');
  for (const [name, text] of [
    ['apt-get', APT_GET],
    ['sleep', '#!/bin/sh\n'],
  ] as const) {
    await writeFile(join(folder, name), text);
    await chmod(join(folder, name), 0o755);
  }
  const script = `set -eu; work=${folder} debian=12; say() { echo "$*"; }; as_root() { "$@"; }; . ${APT}; update_lists`;
  const env = { PATH: `${folder}:${process.env['PATH'] ?? ''}`, LANG: 'de_DE.UTF-8' };
  const { stdout, stderr } = await promisify(execFile)('bash', ['--norc', '-c', script], { env });
  expect(stdout).toContain('another apt is running; waiting for it');
  expect(stderr).toBe('');
  expect((await readFile(join(folder, 'apt-get.calls'), 'utf8')).trim().split('\n')).toHaveLength(2);
});
