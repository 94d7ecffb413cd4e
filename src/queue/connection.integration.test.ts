import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LogBook, TestNats } from '../../test/support/queue.ts';
import { eventually } from '../../test/support/eventually.ts';
import { ChildServer } from '../launcher/child-server.ts';
import { answers, freePort } from '../launcher/tcp-ports.ts';
import { connectQueue, type QueueConnection } from './connection.ts';

/** A NATS of another make than the launcher's. */
async function bareNats(args: (dir: string) => string[]): Promise<AsyncDisposable & { readonly port: number }> {
  const [dir, port] = [await mkdtemp(join(tmpdir(), 'try-it-now-nats-')), await freePort()];
  const server = await ChildServer.start({
    name: 'NATS',
    command: 'nats-server',
    args: ['-a', '127.0.0.1', '-p', String(port), ...args(dir)],
    isUp: () => answers(port),
  });
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      await server.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function failure(connecting: Promise<QueueConnection>): Promise<{ code: unknown; message: string }> {
  try {
    await (await connecting).close();
  } catch (error) {
    return error as { code: unknown; message: string };
  }
  throw new Error('the connection was made');
}

describe('connecting', () => {
  const log = new LogBook();

  it('says where NATS was looked for, without the password', async () => {
    const port = await freePort();
    const { code, message } = await failure(connectQueue({ url: `nats://worker:s3cret@127.0.0.1:${port}`, log }));
    expect({ code, message }).toEqual({
      code: 'queue_unavailable',
      message: `NATS at nats://127.0.0.1:${port} does not answer; start it or correct NATS_URL`,
    });
  });

  it('logs in with the token, or with user and password from the URL, and says when that is refused', async () => {
    await using withToken = await bareNats((dir) => ['-js', '-sd', dir, '--auth', 'a-token']);
    const url = `nats://127.0.0.1:${withToken.port}`;
    for (const [token, advice] of [
      [undefined, 'set NATS_USER and NATS_PASSWORD, NATS_CREDS_FILE, NATS_NKEY_SEED or NATS_TOKEN'],
      ['another', 'check NATS_TOKEN'],
    ] as const) {
      const { code, message } = await failure(connectQueue({ url, token, log }));
      expect({ code, message }).toEqual({
        code: 'queue_unavailable',
        message: `NATS at ${url} refuses the login; ${advice}`,
      });
    }
    await (await connectQueue({ url, token: 'a-token', log })).close();
    await (await connectQueue({ url: `nats://a-token@127.0.0.1:${withToken.port}`, log })).close();

    await using withUser = await bareNats((dir) => ['-js', '-sd', dir, '--user', 'worker', '--pass', 'p@ss 1']);
    const connection = await connectQueue({
      url: `nats://worker:${encodeURIComponent('p@ss 1')}@127.0.0.1:${withUser.port}`,
      log,
    });
    expect(connection.url).toBe(`nats://127.0.0.1:${withUser.port}`);
    await connection.close();
    const apart = { url: connection.url, user: 'worker', password: 'p@ss 1', log };
    await (await connectQueue(apart)).close();
    expect((await failure(connectQueue({ ...apart, password: 'another' }))).message).toContain('NATS_PASSWORD');
  });

  it('says when JetStream is off', async () => {
    await using nats = await bareNats(() => []);
    const { code, message } = await failure(connectQueue({ url: `nats://127.0.0.1:${nats.port}`, log }));
    expect({ code, message }).toEqual({
      code: 'queue_unavailable',
      message:
        `NATS at nats://127.0.0.1:${nats.port} answers, but JetStream does not; start nats-server with -js, ` +
        'or restart it where its disk was full',
    });
  });

  it('reads several servers from one URL and takes the one that answers', async () => {
    await using nats = await TestNats.start();
    const connection = await connectQueue({ url: `nats://127.0.0.1:${await freePort()}, ${nats.url}`, log });
    expect(connection.connected).toBe(true);
    await connection.close();
    expect(connection.connected).toBe(false);
  });
});

describe('a connection', () => {
  it('says in the log and to others when it is lost and when it is back, once each', async () => {
    await using nats = await TestNats.start();
    const connection = await nats.connect();
    let reconnects = 0;
    connection.onReconnect(() => {
      reconnects += 1;
    });
    await nats.down();
    await eventually(() => expect(connection.connected).toBe(false));
    const returned = connection.untilConnected(new AbortController().signal);
    await nats.up();
    await returned;
    expect(connection.connected).toBe(true);
    expect(reconnects).toBe(1);
    expect(nats.log.lines.map(({ level, message }) => [level, message])).toEqual([
      ['warn', 'NATS disconnected; reconnecting in the background'],
      ['info', 'NATS reconnected'],
    ]);
  });

  it('can be closed while NATS is down, and stops waiting when told to', async () => {
    await using nats = await TestNats.start();
    const connection = await nats.connect();
    await nats.down();
    await eventually(() => expect(connection.connected).toBe(false));
    const abort = new AbortController();
    const waiting = connection.untilConnected(abort.signal);
    abort.abort();
    await waiting;
    await connection.close();
    expect(connection.nats.isClosed()).toBe(true);
  });
});
