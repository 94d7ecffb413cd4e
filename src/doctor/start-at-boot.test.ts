import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { startAtBootCheck } from './start-at-boot.ts';

/** A program that answers as systemd does, of units given as `name: 'ActiveState UnitFileState'`. */
function systemctl(units: Readonly<Record<string, string>>, exitCode = 0): { program: string; asked: () => string[] } {
  const folder = mkdtempSync(join(tmpdir(), 'try-it-now-systemctl-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const program = join(folder, 'systemctl');
  const known = Object.entries(units).map(
    ([name, state]) => `${name}) echo ActiveState=${state.split(' ')[0]}; echo UnitFileState=${state.split(' ')[1]};;`,
  );
  writeFileSync(
    program,
    `#!/bin/sh
echo "$@" >"$0.asked"
[ ${exitCode} = 0 ] || exit ${exitCode}
shift 2
for unit; do
  echo "Id=$unit"
  case $unit in
    ${known.join('\n    ')}
    *) echo ActiveState=inactive; echo UnitFileState= ;;
  esac
  echo
done
`,
  );
  chmodSync(program, 0o755);
  return { program, asked: () => readFileSync(`${program}.asked`, 'utf8').trim().split(' ') };
}

const SERVER = { 'try-it-now.service': 'active enabled' };

it('names what runs now and would not after a restart of the host', async () => {
  const { program } = systemctl({
    ...SERVER,
    'caddy.service': 'active disabled',
    'mariadb.service': 'active disabled',
    'postgresql.service': 'inactive disabled',
    'try-it-now-valkey.service': 'active enabled',
  });
  expect(await startAtBootCheck(['caddy', 'mariadb', 'postgresql'], program).run()).toMatchObject([
    {
      verdict: 'warning',
      seen: expect.stringMatching(/: caddy, mariadb$/) as string,
      remedy: expect.stringContaining('`systemctl enable caddy mariadb`') as string,
    },
  ]);
});

it('is content with a service whose socket is there at boot, and with what this deployment does not use', async () => {
  const { program } = systemctl({
    ...SERVER,
    'docker.service': 'active disabled',
    'docker.socket': 'active enabled',
    'caddy.service': 'active disabled',
  });
  expect(await startAtBootCheck(['docker'], program).run()).toMatchObject([{ verdict: 'ok' }]);
});

it('says nothing where no service of ours runs by systemd, or systemd does not run', async () => {
  const foreign = { 'caddy.service': 'active disabled' };
  expect(await startAtBootCheck(['caddy'], systemctl(foreign).program).run()).toEqual([]);
  expect(await startAtBootCheck(['caddy'], systemctl({ ...SERVER, ...foreign }, 1).program).run()).toEqual([]);
  expect(await startAtBootCheck(['caddy'], '/nowhere/systemctl').run()).toEqual([]);
});

it('asks for all that the units wait for', async () => {
  const { program, asked } = systemctl({});
  await startAtBootCheck(['caddy', 'docker', 'mariadb', 'postgresql'], program).run();
  const unit = readFileSync('deploy/systemd/try-it-now.service', 'utf8');
  const before = [...unit.matchAll(/^After=(.*)$/gm)].flatMap(([, names = '']) => names.split(' '));
  expect(before).toContain('caddy.service');
  expect(asked()).toEqual(
    expect.arrayContaining(before.filter((name) => name.endsWith('.service') && !name.includes('@'))),
  );
});
