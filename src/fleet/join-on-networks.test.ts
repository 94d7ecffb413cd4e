import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import type { Joined } from './join.ts';

const run = promisify(execFile);
/** A host on two networks: Valkey's is 10.1.0.0/24, and the proxies' may be the other one. */
const HOST =
  'ip link set lo up; for net in 1 2; do ip link add "br$net" type bridge; ' +
  'ip addr add "10.$net.0.5/24" dev "br$net"; ip link set "br$net" up; done';
const PROGRAM = `
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HostFiles } from ${JSON.stringify(resolve('src/fleet/host-files.ts'))};
import { joinFleet } from ${JSON.stringify(resolve('src/fleet/join.ts'))};
const folder = await mkdtemp(join(tmpdir(), 'tin-join-'));
const proxy = createServer((_, response) => response.end()).listen(8000, '10.1.0.5');
const file = join(folder, 'try-it-now.env');
try {
  const all = [];
  for (const { kept, address } of JSON.parse(process.argv[1])) {
    await writeFile(file, kept);
    const joined = await joinFleet({
      token: {
        v: 1, program: '1.0.0', expiresAtMs: Infinity, secrets: {}, files: {},
        settings: {
          VALKEY_URL: 'valkey://10.1.0.1:6379',
          NATS_URL: 'nats://10.1.0.1:4222',
          PROXY_ADDRESSES: '10.1.0.1,10.2.0.0/24',
          PROXY_INTERNAL_URL: 'http://10.1.0.5:8000',
        },
      },
      files: new HostFiles(folder),
      name: 'w1',
      address,
      look: () => Promise.resolve({ seenAs: '10.1.0.5', nodes: new Map() }),
    });
    all.push({ ...joined, settings: await readFile(file, 'utf8') });
  }
  console.log(JSON.stringify(all));
} finally {
  proxy.close();
  await rm(folder, { recursive: true });
}`;

interface Case {
  /** The settings before. */
  readonly kept: string;
  readonly address?: string;
}

/** One after the other, in one process: what it loads takes longer than what it does. */
async function joined(cases: readonly Case[]): Promise<readonly (Joined & { readonly settings: string })[]> {
  const node = [process.execPath, '--import', 'tsx', '--input-type=module', '-e', PROGRAM, JSON.stringify(cases)];
  const { stdout } = await run('unshare', ['--net', 'sh', '-ec', `${HOST}; exec "$@"`, 'sh', ...node]);
  return JSON.parse(stdout) as (Joined & { readonly settings: string })[];
}

function settings(address: string, valkey: string): string {
  return `NODE_ADDRESS=${address}\nVALKEY_URL=valkey://${valkey}:6379\n`;
}

it('has the instances of a host on several networks where somebody said, and says whom it lets in', async () => {
  const cases: readonly (Case & { readonly then: readonly [address: string, isAsBefore: boolean] })[] = [
    { kept: '', then: ['10.1.0.5', false] },
    { kept: '', address: '10.2.0.5', then: ['10.2.0.5', false] },
    { kept: settings('10.2.0.5', '10.1.0.1'), then: ['10.2.0.5', true] },
    // It was the one towards Valkey, which has moved.
    { kept: settings('10.2.0.5', '10.2.0.1'), then: ['10.1.0.5', false] },
    // This host has it no more, or no other host reaches it.
    { kept: settings('10.3.0.5', '10.1.0.1'), then: ['10.1.0.5', false] },
    { kept: settings('127.0.0.1', '10.1.0.1'), then: ['10.1.0.5', false] },
    { kept: 'PROXY_ADDRESSES=10.1.0.1/32,10.1.0.9\n', then: ['10.1.0.5', false] },
  ];
  const found = await joined(cases);
  expect(found.map(({ address, isAsBefore }) => [address, isAsBefore])).toEqual(cases.map(({ then }) => then));
  for (const { settings: written, address } of found) expect(written).toContain(`NODE_ADDRESS=${address}\n`);
  expect(found.at(-1)).toMatchObject({ letsIn: ['10.1.0.1/32', '10.2.0.0/24'], noLongerLetsIn: ['10.1.0.9/32'] });
});
