import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Redis as Valkey } from 'iovalkey';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { startStore, type TestStore } from './store.ts';
import { valkeyDialect } from './wire-dialects.ts';
import { Tripwire, Wiretap, type Side } from './wiretap.ts';

const SCRIPTS = new URL('../../src/store/lua', import.meta.url).pathname;

let store: TestStore;
beforeAll(async () => {
  store = await startStore();
});
afterAll(() => store[Symbol.asyncDispose]());

/** A tap on the store, with somebody to be killed and a client of the test's own. */
async function tapped() {
  const tripwire = new Tripwire();
  const tap = await Wiretap.start({
    wire: 'valkey',
    dialect: valkeyDialect(SCRIPTS),
    tripwire,
    listen: { port: await freePort() },
    target: { port: store.address.port },
  });
  const victim = spawn('sleep', ['60']);
  const client = new Valkey(tap.port, '127.0.0.1', { retryStrategy: () => null, enableReadyCheck: false });
  client.on('error', () => undefined);
  await client.ping();
  return {
    tripwire,
    client,
    victim,
    async [Symbol.asyncDispose]() {
      client.disconnect();
      victim.kill('SIGKILL');
      await tap[Symbol.asyncDispose]();
    },
  };
}

function killedBy(victim: ChildProcess): Promise<unknown[]> {
  return once(victim, 'exit');
}

describe('a wiretap', () => {
  it.each<{ side: Side; done: string | null }>([
    { side: 'request', done: null },
    { side: 'reply', done: 'done' },
  ])('kills at the $side: the other part has it $done', async ({ side, done }) => {
    await using here = await tapped();
    const key = `wiretap-${side}`;
    const exit = killedBy(here.victim);
    const sprung = here.tripwire.arm({
      side,
      matches: (exchange) => exchange === 'valkey SET',
      nth: 2,
      pid: here.victim.pid ?? 0,
    });
    // In one chunk: what stands before the trap passes, what follows it never existed.
    const calls = await Promise.allSettled([
      here.client.set(`${key}-before`, 'done'),
      here.client.set(key, 'done'),
      here.client.set(`${key}-after`, 'done', 'GET'),
    ]);
    expect(await sprung).toBe('valkey SET');
    expect((await exit)[1]).toBe('SIGKILL');
    expect(calls.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
    expect(await store.valkey.get(`${key}-before`)).toBe('done');
    expect(await store.valkey.get(key)).toBe(done);
  });

  it('names scripts by their files, whatever is put before their text', async () => {
    await using here = await tapped();
    const stop = here.tripwire.record();
    const source = `-- something else\nreturn 1`;
    await here.client.script('LOAD', source);
    const { readFileSync } = await import('node:fs');
    const take = `-- a prelude\n${readFileSync(`${SCRIPTS}/find.lua`, 'utf8')}`;
    const sha = (await here.client.script('LOAD', take)) as string;
    await here.client.evalsha(sha, 1, 'instances').catch(() => undefined);
    expect(stop().map(({ exchange }) => exchange)).toEqual(['valkey SCRIPT LOAD', 'valkey SCRIPT LOAD', 'valkey find']);
  });
});
