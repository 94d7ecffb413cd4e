import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { HostFiles } from './host-files.ts';
import { joinFleet, type FleetView } from './join.ts';
import type { JoinToken } from './join-token.ts';
import { parseSettings } from './settings-file.ts';

const UNIT = 'deploy/systemd/try-it-now-podman.service';

let folder: string;
let proxy: Server;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tin-join-'));
  proxy = createServer((_, response) => response.end());
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  proxy.close();
  await rm(folder, { recursive: true });
});

/** Of a fleet whose Valkey and proxy are on this machine. */
function token(settings: Readonly<Record<string, string>> = {}): JoinToken {
  return {
    v: 1,
    program: '1.0.0',
    expiresAtMs: Infinity,
    settings: {
      VALKEY_URL: 'valkey://127.0.0.1:6379',
      NATS_URL: 'nats://127.0.0.1:4222',
      PROXY_ADDRESSES: '',
      PROXY_INTERNAL_URL: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
      ...settings,
    },
    secrets: {},
    files: {},
  };
}

/** The settings as they are then. */
async function joined(
  options: { readonly token?: JoinToken; readonly nodes?: FleetView['nodes'] } = {},
): Promise<ReadonlyMap<string, string>> {
  await joinFleet({
    token: options.token ?? token(),
    files: new HostFiles(folder),
    name: 'second',
    address: undefined,
    look: () => Promise.resolve({ seenAs: '127.0.0.1', nodes: options.nodes ?? new Map() }),
  });
  return parseSettings(await readFile(join(folder, 'try-it-now.env'), 'utf8'));
}

it('has a worker use the Podman of its own unit, where nothing says otherwise', async () => {
  const [, socket = ''] = /unix:\/\/(\S+)/.exec(await readFile(UNIT, 'utf8')) ?? [];
  for (const settings of [{}, { CONTAINER_MODE: 'podman' }])
    expect((await joined({ token: token(settings) })).get('PODMAN_SOCKET')).toBe(socket);
  // As an older version's token has it, of the host that made it.
  const theirs = { PODMAN_SOCKET: '/run/podman/podman.sock', DOCKER_SOCKET: '/run/other.sock' };
  const after = await joined({ token: token(theirs) });
  expect([after.get('PODMAN_SOCKET'), after.get('DOCKER_SOCKET')]).toEqual([socket, undefined]);
  await writeFile(join(folder, 'try-it-now.env'), 'PODMAN_SOCKET=/run/podman/own.sock\n');
  expect((await joined({ token: token(theirs) })).get('PODMAN_SOCKET')).toBe('/run/podman/own.sock');
});

it('keeps the name of a host whose address has changed, once nothing runs there under the old one', async () => {
  const before = { address: '10.0.0.2', alive: false };
  const settings = 'NODE_NAME=second\nNODE_ADDRESS=10.0.0.2\n';
  const rejoin = async (second: typeof before, kept: string): Promise<ReadonlyMap<string, string>> => {
    await writeFile(join(folder, 'try-it-now.env'), kept);
    return joined({ nodes: new Map([['second', second]]) });
  };
  expect((await rejoin(before, settings)).get('NODE_ADDRESS')).toBe('127.0.0.1');
  await expect(rejoin({ ...before, alive: true }, settings)).rejects.toThrow(
    /^second is still at work at 10\.0\.0\.2.* stop its worker \(`systemctl stop try-it-now-worker`\)/,
  );
  expect(await readFile(join(folder, 'try-it-now.env'), 'utf8')).toBe(settings);
});

it('takes the name of another host from nobody, silent or not, and says how it is set free', async () => {
  for (const alive of [true, false])
    await expect(joined({ nodes: new Map([['second', { address: '10.0.0.2', alive }]]) })).rejects.toThrow(
      /^second is another host's name \(at 10\.0\.0\.2\); give .* `try-it-now nodes remove second --force`/,
    );
  // Of its own address, it is this host.
  await joined({ nodes: new Map([['second', { address: '127.0.0.1', alive: true }]]) });
});
