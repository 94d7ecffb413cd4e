import { once } from 'node:events';
import { link, rename, stat } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Cleanups, ownFolder } from '../../test/support/deployment.ts';
import { eventually } from '../../test/support/eventually.ts';
import { LogBook } from '../../test/support/queue.ts';
import { unixConnections } from '../runtime/docker/unix-connections.ts';
import { startRelay, type Pace } from './relay.ts';

let cleanups: Cleanups;
let socketPath: string;
let log: LogBook;
beforeEach(async () => {
  cleanups = new Cleanups('the relay');
  socketPath = join(await ownFolder(cleanups, 'tin-relay-'), 'mariadb', 'mysqld.sock');
  log = new LogBook();
});
afterEach(() => cleanups[Symbol.asyncDispose]());

async function listen(onConnection: (socket: Socket) => void, port = 0): Promise<{ server: Server; port: number }> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => server.close());
  return { server, port: (server.address() as AddressInfo).port };
}

async function relayTo(port: number, pace?: Pace): Promise<AsyncDisposable> {
  const server = { host: '127.0.0.1', port };
  const relay = await startRelay({ title: 'MariaDB', socketPath, server, log, ...(pace && { pace }) });
  cleanups.push(() => relay[Symbol.asyncDispose]());
  return relay;
}

it('passes on all of both directions, also when one end has said its last', async () => {
  const sent = Buffer.alloc(8 * 2 ** 20, 'from an instance ');
  const { port } = await listen((socket) => {
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('end', () => socket.end(Buffer.concat(chunks)));
  });
  await relayTo(port);
  const client = connect({ path: socketPath, allowHalfOpen: true });
  client.end(sent);
  expect((await buffer(client)).equals(sent)).toBe(true);
});

it('closes a connection whose server is not there, says so once, and passes on again when it is back', async () => {
  const { server, port } = await listen(() => undefined);
  server.close();
  await once(server, 'close');
  await relayTo(port);
  for (let tries = 0; tries < 2; tries += 1) {
    const refused = connect(socketPath);
    await once(refused, 'close');
  }
  expect(log.with('MariaDB takes no connections').map(({ fields }) => fields)).toEqual([
    { host: '127.0.0.1', port, reason: expect.stringContaining('ECONNREFUSED') as string },
  ]);
  await listen((socket) => socket.end('welcome'), port);
  expect(await text(connect(socketPath))).toBe('welcome');
  expect(log.with('MariaDB takes connections again')).toHaveLength(1);
});

it('opens so many connections at once, and the others one after the other', async () => {
  const { port } = await listen((socket) => socket.end('welcome'));
  await relayTo(port, { perSecond: 20, burst: 5 });
  const begun = performance.now();
  const answers = await Promise.all(Array.from({ length: 15 }, () => text(connect(socketPath))));
  expect(answers).toEqual(answers.map(() => 'welcome'));
  expect(performance.now() - begun).toBeGreaterThanOrEqual(450);
});

it.each([
  ['said nothing', ''],
  ['spoke first', 'a login of PostgreSQL'],
])('has nobody wait for those that left before their turn and %s, and shows them for a moment', async (_, words) => {
  let served = 0;
  const { port } = await listen((socket) => {
    served += 1;
    socket.resume().end('welcome');
  });
  await relayTo(port, { perSecond: 20, burst: 5 });
  for (let count = 0; count < 200; count += 1) {
    const client = connect(socketPath);
    await once(client, 'connect');
    if (words !== '') await new Promise((resolve) => client.write(words, resolve));
    client.destroy();
  }
  const begun = performance.now();
  expect(await text(connect(socketPath))).toBe('welcome');
  // Ten seconds, if each of them had a turn.
  expect(performance.now() - begun).toBeLessThan(2_000);
  expect(served).toBeLessThan(100);
  // Whose they are, the kernel says: a visit with so many is ended.
  expect(await unixConnections(process.pid, basename(socketPath))).toBeGreaterThan(100);
  await eventually(async () => expect(await unixConnections(process.pid, basename(socketPath))).toBeLessThan(100));
});

it('passes on what somebody said before their turn', async () => {
  const { port } = await listen((socket) => socket.pipe(socket));
  await relayTo(port, { perSecond: 20, burst: 1 });
  const answers = ['one', 'two', 'three'].map(async (word) => {
    const client = connect(socketPath);
    client.write(word);
    const [answer] = (await once(client, 'data')) as [Buffer];
    client.destroy();
    return String(answer);
  });
  expect(await Promise.all(answers)).toEqual(['one', 'two', 'three']);
});

it('closes who says more before their turn than it takes to log in', async () => {
  const { port } = await listen((socket) => socket.pipe(socket));
  await relayTo(port, { perSecond: 0.001, burst: 1 });
  const first = connect(socketPath);
  await once(first, 'connect');
  const client = connect(socketPath);
  client.on('error', () => undefined);
  client.write(Buffer.alloc(64 * 1_024));
  await once(client, 'close');
  first.destroy();
});

it('ends both ends of a connection with either of them', async () => {
  const served: Socket[] = [];
  const { port } = await listen((socket) => served.push(socket));
  const relay = await relayTo(port);
  const open = async (): Promise<{ client: Socket; far: Socket }> => {
    const client = connect(socketPath);
    client.on('error', () => undefined);
    const count = served.length;
    await eventually(() => expect(served).toHaveLength(count + 1));
    return { client, far: served[count] as Socket };
  };
  const one = await open();
  one.far.destroy();
  await once(one.client, 'close');
  const two = await open();
  two.far.resume();
  two.client.destroy();
  await once(two.far, 'end');
  const three = await open();
  const cut = once(three.client, 'close');
  await relay[Symbol.asyncDispose]();
  await cut;
});

it('keeps the folder that containers see, replaces what a killed one left, and refuses to be the second', async () => {
  const { server, port } = await listen((socket) => socket.end('welcome'));
  const abandoned = await relayTo(port);
  const folder = await stat(dirname(socketPath));
  expect((await stat(socketPath)).mode & 0o777).toBe(0o777);
  await expect(relayTo(port)).rejects.toMatchObject({ code: 'port_taken' });
  await abandoned[Symbol.asyncDispose]();
  // As a process that is killed: its socket stays, and nobody listens there.
  const killed = createServer();
  killed.listen(`${socketPath}.killed`);
  await once(killed, 'listening');
  await link(`${socketPath}.killed`, `${socketPath}.left`);
  killed.close();
  await once(killed, 'close');
  await rename(`${socketPath}.left`, socketPath);
  await relayTo(port);
  expect(await text(connect(socketPath))).toBe('welcome');
  expect((await stat(dirname(socketPath))).ino).toBe(folder.ino);
  expect(server.listening).toBe(true);
});
