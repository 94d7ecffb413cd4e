import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { fleetNode } from '../../test/support/fleet.ts';
import { LogBook } from '../../test/support/queue.ts';
import { startStore, type TestStore } from '../../test/support/store.ts';
import { HEARTBEAT_LIFE_MS, type Heartbeat } from '../domain/node.ts';
import { keys } from '../store/keys.ts';
import { OwnName } from './own-name.ts';

const HEARTBEAT = fleetNode().heartbeat as Heartbeat;
const HOUR_MS = 3_600_000;

let store: TestStore;
let log: LogBook;
let beating: NodeJS.Timeout[];
let nowMs: number;
beforeAll(async () => {
  store = await startStore();
});
afterAll(() => store[Symbol.asyncDispose]());
beforeEach(async () => {
  await store.clear();
  log = new LogBook();
  beating = [];
  nowMs = 0;
});
afterEach(() => beating.forEach((timer) => clearInterval(timer)));

/** A host whose node is node0. `letter`: of its boot, its name and its address. `says`: which boot it is. */
function hostOf(letter: 'a' | 'b', { says = true, stepMs = 0 } = {}) {
  const address = letter === 'a' ? '10.0.0.1' : '10.0.0.2';
  const steadyClock = { passedMs: () => (nowMs += stepMs) };
  const [{ registry }, boot] = [store, says ? `boot-${letter}` : undefined];
  const node = { name: 'node0', address };
  const name = new OwnName({ registry, node, host: `host-${letter}`, boot, log, steadyClock, lookMs: 20 });
  const say = (): Promise<{ readonly wasLost: boolean }> =>
    name.say(() => Promise.resolve({ ...HEARTBEAT, address }), new AbortController().signal);
  const goOn = (): void => void beating.push(setInterval(() => void say().catch(() => undefined), 30));
  /** As an app does. */
  const start = async (): Promise<void> => {
    await name.waitUntilFree();
    await say();
    goOn();
  };
  return { name, say, goOn, start };
}

const bootHeard = async () => (await store.registry.lastHeard())?.boot;
const refusedBecauseOf = (other: 'a' | 'b'): object => ({
  code: 'invalid_config',
  message: expect.stringMatching(`NODE_NAME=node0 .* host-${other} at 10\\.0\\.0\\.`) as string,
});

describe('At the start', () => {
  it.each<readonly [string, Partial<Heartbeat> | undefined]>([
    ['that is new', undefined],
    ['of this host, as after a restart, or where several of its processes share it', { boot: 'boot-b', host: 'pod' }],
    ['of a version that does not say where it runs', {}],
  ])('a name %s is taken at once', async (_, heartbeat) => {
    if (heartbeat !== undefined) await store.registry.beat({ ...HEARTBEAT, ...heartbeat });
    await hostOf('b').start();
    expect(await bootHeard()).toBe('boot-b');
    expect(log.lines).toEqual([]);
  });

  it('nothing is refused where nobody can tell on which host this runs', async () => {
    await hostOf('a').say();
    await hostOf('b', { says: false }).start();
    expect(await bootHeard()).toBeUndefined();
  });

  it('the name of another host that is alive is refused, and both are named', async () => {
    const other = hostOf('a');
    await other.start();
    const refused = hostOf('b').start();
    await expect(refused).rejects.toMatchObject(refusedBecauseOf('a'));
    await expect(refused).rejects.toMatchObject({ message: expect.stringContaining('host-b at 10.0.0.2') as string });
    expect(await bootHeard()).toBe('boot-a');
  });

  it('one of two hosts goes on that start together', async () => {
    const outcomes = await Promise.allSettled([hostOf('a').start(), hostOf('b').start()]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const [first, second] = outcomes;
    expect(first.status === 'rejected' ? first : second).toMatchObject({ reason: { code: 'invalid_config' } });
    expect(await bootHeard()).toBe(first.status === 'fulfilled' ? 'boot-a' : 'boot-b');
  });

  it('a name is waited for that this host had before a reboot, or that a host leaves to another', async () => {
    await hostOf('a').say();
    await store.valkey.pexpire(keys.heartbeat('node0'), 300);
    await hostOf('b').start();
    expect(log.with('waiting for its end')).toHaveLength(1);
    expect(await bootHeard()).toBe('boot-b');
  });

  it('nor for longer than a heartbeat counts, where the clock of Valkey was set back', async () => {
    await hostOf('a').say();
    await store.valkey.pexpire(keys.heartbeat('node0'), HOUR_MS);
    await hostOf('b', { stepMs: HEARTBEAT_LIFE_MS / 3 }).start();
    expect(await bootHeard()).toBe('boot-b');
    expect(await store.valkey.pttl(keys.heartbeat('node0'))).toBeLessThanOrEqual(HEARTBEAT_LIFE_MS);
  });

  it('an end of the wait is an end of the start', async () => {
    await hostOf('a').say();
    const stopped = AbortSignal.abort();
    const { name } = hostOf('b');
    await name.waitUntilFree(stopped);
    await expect(name.say(() => Promise.resolve(HEARTBEAT), stopped)).rejects.toMatchObject({ code: 'shutting_down' });
  });
});

describe('While it runs', () => {
  it('a host that was cut off goes, once another one has taken its place', async () => {
    const [cutOff, replacement] = [hostOf('a'), hostOf('b')];
    await cutOff.say();
    // As 12 s after the last one.
    await store.valkey.del(keys.heartbeat('node0'));
    await replacement.start();
    await expect(cutOff.say()).rejects.toMatchObject(refusedBecauseOf('b'));
    expect(await cutOff.name.taken).toMatchObject(refusedBecauseOf('b'));
    expect(() => cutOff.name.requireHeld()).toThrow();
    expect(await bootHeard()).toBe('boot-b');
    // Nothing may be begun any more, whatever becomes of the other.
    beating.forEach((timer) => clearInterval(timer));
    await store.valkey.del(keys.heartbeat('node0'));
    await expect(cutOff.say()).rejects.toMatchObject(refusedBecauseOf('b'));
  });

  it('a host that stood still, or whose store forgot everything, goes on', async () => {
    const { say, name } = hostOf('a');
    await say();
    await store.valkey.flushall();
    await store.valkey.hset(keys.lostNodes, 'node0', '1');
    nowMs += HEARTBEAT_LIFE_MS;
    expect(() => name.requireHeld()).toThrow();
    expect(await say()).toEqual({ wasLost: true });
    name.requireHeld();
  });

  it('what a failover brings back from before a reboot makes nobody stop', async () => {
    const before = hostOf('a');
    const { say, name } = hostOf('b');
    await say();
    for (let failovers = 1; failovers < 4; failovers += 1) {
      await store.valkey.del(keys.heartbeat('node0'));
      await before.say();
      const goesOn = say();
      await eventually(() => expect(log.with('waiting for its end')).toHaveLength(failovers));
      // Some of what was said before the reboot is lost as well.
      await before.say();
      await store.valkey.pexpire(keys.heartbeat('node0'), 200);
      await goesOn;
      name.requireHeld();
    }
    expect(await bootHeard()).toBe('boot-b');
  });

  it('processes of one host share its name, also with one of a version that does not say where it runs', async () => {
    const [server, worker] = [hostOf('a'), hostOf('a')];
    for (let beats = 0; beats < 3; beats += 1) {
      await server.say();
      await worker.say();
      await store.registry.beat(HEARTBEAT);
    }
    expect(log.lines).toEqual([]);
  });
});
