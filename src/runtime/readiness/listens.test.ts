import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { freePort } from '../../launcher/tcp-ports.ts';
import { listens } from './listens.ts';

const PATIENCE_MS = 5_000;
const open: { readonly server: Server; readonly sockets: Set<Socket> }[] = [];

afterEach(async () => {
  for (const { server, sockets } of open.splice(0)) {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function listen(answer: (socket: Socket) => void): Promise<{ port: number; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).once('close', () => sockets.delete(socket));
    answer(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push({ server, sockets });
  return { port: (server.address() as AddressInfo).port, sockets };
}

const app = (): ReturnType<typeof listen> => listen((socket) => socket.resume());

it.each(['podman', 'docker', 'simulated', undefined] as const)(
  'finds an app that waits for a request, on %s, and leaves no connection open',
  async (engine) => {
    const { port, sockets } = await app();
    expect(
      await listens({ address: '127.0.0.1', port, ...(engine === undefined ? {} : { engine }) }, PATIENCE_MS),
    ).toBe('listens');
    await eventually(() => expect(sockets.size).toBe(0));
  },
);

it.each(['podman', 'docker'] as const)('says so when nothing listens, on %s', async (engine) => {
  expect(await listens({ address: '127.0.0.1', port: await freePort(), engine }, PATIENCE_MS)).toBe('refuses');
});

it.each<[string, (socket: Socket) => void]>([
  ['closes', (socket) => socket.end()],
  ['resets', (socket) => socket.resetAndDestroy()],
])("is not taken in by Docker's relay, which accepts for a dead container and %s", async (_, answer) => {
  const { port } = await listen(answer);
  expect(await listens({ address: '127.0.0.1', port, engine: 'docker' }, PATIENCE_MS)).toBe('refuses');
});

it('is not taken in when this process is too busy to see in time that it closed', async () => {
  const { port } = await listen((socket) => {
    // Two turns of the event loop later it is known to be connected.
    setImmediate(() =>
      setImmediate(() => {
        socket.resetAndDestroy();
        const until = performance.now() + 50;
        while (performance.now() < until);
      }),
    );
  });
  expect(await listens({ address: '127.0.0.1', port, engine: 'docker' }, PATIENCE_MS)).toBe('refuses');
});

it('takes an engine for one with a relay that this version does not know', async () => {
  const { port } = await listen((socket) => socket.end());
  expect(await listens({ address: '127.0.0.1', port, engine: 'of another version' }, PATIENCE_MS)).toBe('refuses');
});

it('calls a host silent that has no address', async () => {
  expect(await listens({ address: 'nowhere.invalid', port: 80 }, PATIENCE_MS)).toBe('silent');
});

it('calls an app silent that is too busy to accept, when the time is up', async () => {
  const port = await freePort();
  const script =
    `require('node:net').createServer().listen(${port}, '127.0.0.1', 1, () => { ` +
    "process.stdout.write('up'); setImmediate(() => Atomics.wait(new " +
    'Int32Array(new SharedArrayBuffer(4)), 0, 0)); })';
  const busy = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const queued: Socket[] = [];
  try {
    await once(busy.stdout, 'data');
    await eventually(async () => {
      queued.push(connect(port, '127.0.0.1').on('error', () => undefined));
      expect(await listens({ address: '127.0.0.1', port }, 100)).toBe('silent');
    });
  } finally {
    for (const socket of queued) socket.destroy();
    busy.kill('SIGKILL');
  }
});
