import { once } from 'node:events';
import { createServer, get } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { PassThrough, type Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { EventsEnded, readEvents } from './event-lines.ts';
import { eventually } from '../../test/support/eventually.ts';

const never = new AbortController().signal;

it('reads one event a line, however they arrive, until the signal', async () => {
  const stream = new PassThrough();
  const read: unknown[] = [];
  const abort = new AbortController();
  const reading = readEvents(
    () => Promise.resolve(stream),
    (event) => read.push(event),
    abort.signal,
  );
  for (const piece of ['{"a":', '1}\n{"b":2}\n', '\n', '3\n{"cut']) stream.write(piece);
  await eventually(() => expect(read).toEqual([{ a: 1 }, { b: 2 }, 3]));
  abort.abort();
  await reading;
  expect(stream.destroyed).toBe(true);
});

it('opens nothing after the signal, and closes what opens too late', async () => {
  await readEvents(
    () => Promise.reject(new Error('opened')),
    () => undefined,
    AbortSignal.abort(),
  );
  const abort = new AbortController();
  const late = new PassThrough();
  let open: (stream: Readable) => void = () => undefined;
  const reading = readEvents(
    () =>
      new Promise((resolve) => {
        open = resolve;
      }),
    () => undefined,
    abort.signal,
  );
  abort.abort();
  await reading;
  open(late);
  await eventually(() => expect(late.destroyed).toBe(true));
});

it('throws when the stream ends, and what its reader throws', async () => {
  const ended = new PassThrough();
  const reading = readEvents(
    () => Promise.resolve(ended),
    () => undefined,
    never,
  );
  ended.end('{}\n');
  await expect(reading).rejects.toThrow(EventsEnded);
  for (const line of ['not JSON\n', '{}\n']) {
    const stream = new PassThrough();
    stream.write(line);
    await expect(
      readEvents(
        () => Promise.resolve(stream),
        () => {
          throw new Error('unknown event');
        },
        never,
      ),
    ).rejects.toThrow(/unknown event|JSON/);
    expect(stream.destroyed).toBe(true);
  }
});

it('throws, and nothing else happens, when the connection is cut in the middle of an answer', async () => {
  const sockets: Socket[] = [];
  const server = createServer((_request, response) => void response.writeHead(200).write('{"a":1}\n')).on(
    'connection',
    (socket) => sockets.push(socket),
  );
  await once(server.listen(0, '127.0.0.1'), 'listening');
  try {
    const read: unknown[] = [];
    const open = (): Promise<Readable> =>
      new Promise((resolve, reject) => {
        get({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, agent: false }, resolve).once(
          'error',
          reject,
        );
      });
    const reading = readEvents(
      open,
      (event) => {
        read.push(event);
        for (const socket of sockets) socket.destroy();
      },
      never,
    );
    await expect(reading).rejects.toThrow(EventsEnded);
    expect(read).toEqual([{ a: 1 }]);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});
