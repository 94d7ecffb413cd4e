import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const run = promisify(execFile);
/** A hypervisor's host, whose one address is on a bridge. */
const HOST =
  'mount -t sysfs none /sys; ip link add br0 type bridge; ip addr add 10.9.0.1/24 dev br0; ip link set br0 up';

it.each([
  ['', 'Error: This host has private addresses on bridges alone (10.9.0.1); say with --address'],
  ['10.9.0.1', '10.9.0.1'],
  ['10.9.0.2', 'Error: 10.9.0.2 is no private IPv4 address of this host'],
])('of a host that is on a bridge takes what is named: "%s"', async (given, told) => {
  const program =
    `import { chosenAddress } from ${JSON.stringify(resolve('src/fleet/own-address.ts'))};\n` +
    `try { console.log(chosenAddress(process.argv[1] || undefined)); } ` +
    `catch (error) { console.log('Error: ' + error.message); }`;
  const node = [process.execPath, '--import', 'tsx', '--input-type=module', '-e', program, given];
  const { stdout } = await run('unshare', ['--mount', '--net', 'sh', '-ec', `${HOST}; exec "$@"`, 'sh', ...node]);
  expect(stdout.trim().startsWith(told), stdout).toBe(true);
});
