import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { suspend } from '../../../test/support/suspend.ts';
import { unreachablePort } from '../../../test/support/unreachable-port.ts';
import { freePort } from '../../launcher/tcp-ports.ts';
import { reacts } from './reacts.ts';

const PATIENCE_MS = 10_000;
const ENGINES = ['podman', 'docker', 'simulated', 'of another version', undefined] as const;
const open: { readonly server: Server; readonly sockets: Set<Socket> }[] = [];
const processes: ChildProcess[] = [];

afterEach(async () => {
  for (const child of processes.splice(0)) child.kill('SIGKILL');
  for (const { server, sockets } of open.splice(0)) {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function listen(server: Server): Promise<{ port: number; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push({ server, sockets });
  return { port: (server.address() as AddressInfo).port, sockets };
}

const at = (port: number, engine?: string) => ({
  address: '127.0.0.1',
  port,
  ...(engine === undefined ? {} : { engine }),
});

it.each(ENGINES)(
  'finds an app that never answers a request but runs, on %s, asks it nothing and leaves no connection open',
  async (engine) => {
    let asked = 0;
    const { port, sockets } = await listen(createHttpServer(() => (asked += 1)));
    expect(await reacts(at(port, engine), PATIENCE_MS)).toBe('reacts');
    await eventually(() => expect(sockets.size).toBe(0));
    expect(asked).toBe(0);
  },
);

it.each(ENGINES)('finds an app that closes what is no request, on %s', async (engine) => {
  const { port } = await listen(createServer((socket) => socket.once('data', () => socket.end())));
  expect(await reacts(at(port, engine), PATIENCE_MS)).toBe('reacts');
});

it.each(['podman', 'docker'])('says so when nothing listens, on %s', async (engine) => {
  expect(await reacts(at(await freePort(), engine), PATIENCE_MS)).toBe('refuses');
});

it.each<[string, string, (socket: Socket) => void]>([
  ['docker', 'closes', (socket) => socket.end()],
  ['docker', 'resets', (socket) => socket.resetAndDestroy()],
  ['of another version', 'closes', (socket) => socket.end()],
])(
  'is not taken in by the relay of an engine (%s), which accepts for a dead container and %s',
  async (engine, _, act) => {
    const { port } = await listen(createServer(act));
    expect(await reacts(at(port, engine), PATIENCE_MS)).toBe('refuses');
  },
);

it('cannot tell of a host that has no address', async () => {
  expect(await reacts({ address: 'nowhere.invalid', port: 80 }, PATIENCE_MS)).toBe('unknown');
});

it('calls an app silent that is stopped, though connections to it are accepted', async () => {
  const port = await freePort();
  const script = `require('node:http').createServer().listen(${port}, '127.0.0.1', () => process.stdout.write('up'))`;
  const app = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  processes.push(app);
  await once(app.stdout, 'data');
  expect(await reacts(at(port), PATIENCE_MS)).toBe('reacts');
  await suspend(app);
  expect(await reacts(at(port), 200)).toBe('silent');
  app.kill('SIGCONT');
  expect(await reacts(at(port), PATIENCE_MS)).toBe('reacts');
});

it('tells a host to which nothing gets through from an app that does not react', async () => {
  await using dropped = await unreachablePort();
  expect(await reacts(at(dropped.port), 500)).toBe('unreachable');
});
