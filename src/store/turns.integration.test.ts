import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { RUNNING_PROCESS_VERSION, type RunningProcess } from '../domain/running-process.ts';
import { eventually } from '../../test/support/eventually.ts';
import { silent, startStore, type TestStore } from '../../test/support/store.ts';
import { keys } from './keys.ts';
import { openStore, type Store } from './store.ts';

const LONG_MS = 600_000;

let store: TestStore;
beforeAll(async () => {
  store = await startStore();
});
afterAll(() => store[Symbol.asyncDispose]());
beforeEach(() => store.clear());

/** Another process on the same Valkey. */
async function another(): Promise<Store & AsyncDisposable> {
  const other = await openStore({
    valkey: { ...store.address, password: undefined },
    node: { name: 'node0', address: '127.0.0.1' },
    limits: { hourly: 0, daily: 0 },
    portRange: store.portRange,
    portCoolDownMs: 200,
    log: silent,
  });
  return { ...other, [Symbol.asyncDispose]: () => other.close() };
}

const termOf = async (task: string) => Number(await store.valkey.hget(keys.turnTerms, task));

describe('A turn', () => {
  it('is one process’s, until that lets go', async () => {
    await using other = await another();
    const [mine, theirs] = [store.turns.of('x'), other.turns.of('x')];
    expect([await mine.take(LONG_MS), await mine.take(LONG_MS), await theirs.take(LONG_MS)]).toEqual([
      true,
      true,
      false,
    ]);
    expect([mine.held, theirs.held, await mine.confirm(), await theirs.confirm()]).toEqual([true, false, true, false]);
    await theirs.end();
    expect(await mine.confirm()).toBe(true);
    await mine.end();
    expect([mine.held, await theirs.take(LONG_MS)]).toEqual([false, true]);
  });

  it('is not confirmed once somebody else has had it, also when nobody or the same process has it again', async () => {
    await using other = await another();
    const [mine, theirs] = [store.turns.of('y'), other.turns.of('y')];
    await mine.take(LONG_MS);
    expect(await termOf('y')).toBe(1);
    // As one that stood still for longer than its turn, and has not asked again since.
    await store.valkey.del(keys.turn('y'));
    expect([mine.held, await mine.confirm()]).toEqual([true, false]);
    await theirs.take(LONG_MS);
    expect(await termOf('y')).toBe(2);
    expect([mine.held, await mine.confirm(), await theirs.confirm()]).toEqual([true, false, true]);
    await theirs.end();
    expect(await mine.confirm()).toBe(false);
    const holder = (await store.valkey.zrange(keys.claimers, 0, -1))[0] ?? '';
    await store.valkey.set(keys.turn('y'), holder);
    expect(await mine.confirm()).toBe(false);
    await store.valkey.del(keys.turn('y'));
    await mine.take(LONG_MS);
    expect([await termOf('y'), await mine.confirm()]).toEqual([3, true]);
  });

  it('is kept by who has it, also late, and no more once somebody else has had it', async () => {
    await using other = await another();
    const [mine, theirs] = [store.turns.of('k'), other.turns.of('k')];
    expect(await mine.keep(LONG_MS)).toBe(false);
    await mine.take(LONG_MS);
    await store.valkey.del(keys.turn('k'));
    expect([await mine.keep(LONG_MS), await termOf('k'), await mine.confirm()]).toEqual([true, 1, true]);
    expect(await theirs.take(LONG_MS)).toBe(false);
    await store.valkey.del(keys.turn('k'));
    await theirs.take(LONG_MS);
    await theirs.end();
    expect([await mine.keep(LONG_MS), mine.held, await mine.keep(LONG_MS), await termOf('k')]).toEqual([
      ...[false, false, false, 2],
    ]);
    expect([await mine.take(LONG_MS), await termOf('k')]).toEqual([true, 3]);
  });

  it('ends by itself, in the store and by the clock of who has it', async () => {
    await using other = await another();
    const mine = store.turns.of('z');
    expect(await mine.take(1)).toBe(true);
    await eventually(() => expect(mine.held).toBe(false));
    expect(await mine.confirm()).toBe(false);
    await eventually(async () => expect(await other.turns.of('z').take(LONG_MS)).toBe(true));
  });

  it('goes to whoever started last, where that is asked for, and back only when it is free', async () => {
    const older = store.turns.of('node:a', { newestFirst: true });
    expect(await older.take(LONG_MS)).toBe(true);
    await using other = await another();
    const newer = other.turns.of('node:a', { newestFirst: true });
    expect(await newer.take(LONG_MS)).toBe(true);
    expect([await older.confirm(), await older.take(LONG_MS), older.held]).toEqual([false, false, false]);
    expect(await newer.confirm()).toBe(true);
    expect(other.turns.held()).toEqual(
      new Map([
        ['events', false],
        ['node:a', true],
      ]),
    );
    await other.turns.endAll();
    expect(await older.take(LONG_MS)).toBe(true);
  });

  it('is left to a process of a version without terms', async () => {
    await store.valkey.set(keys.turn('old'), 'a process of an older version');
    const turn = store.turns.of('old');
    expect(await turn.take(LONG_MS)).toBe(false);
    await turn.end();
    expect(await store.valkey.get(keys.turn('old'))).toBe('a process of an older version');
  });
});

describe('The processes that run', () => {
  const entry = (pid: number, more: Partial<RunningProcess> = {}): RunningProcess => ({
    v: RUNNING_PROCESS_VERSION,
    role: 'server',
    version: '1.0.0',
    host: 'a',
    pid,
    node: 'node0',
    startedAtMs: 1,
    templates: { tiny: 'abc' },
    leads: ['node:node0'],
    ...more,
  });

  it('are known by what they last said, until they leave or are silent', async () => {
    await using other = await another();
    await store.processes.announce(entry(1));
    await other.processes.announce(entry(2));
    await store.processes.announce(entry(1, { leads: [] }));
    const running = [...(await store.processes.running())].sort((a, b) => a.pid - b.pid);
    expect(running).toEqual([entry(1, { leads: [] }), entry(2)]);
    await other.processes.leave();
    expect(await store.processes.running()).toEqual([entry(1, { leads: [] })]);
    const [id = ''] = await store.valkey.hkeys(keys.processes);
    await store.valkey.zincrby(keys.processesSeen, -20_000, id);
    expect(await store.processes.running()).toEqual([]);
    await other.processes.announce(entry(2));
    expect(await store.valkey.hkeys(keys.processes)).not.toContain(id);
  });

  it('are left out where another version wrote what cannot be read', async () => {
    await store.processes.announce(entry(1));
    for (const [at, text] of ['{"v":2}', 'no JSON', '{"v":1,"role":"cook"}'].entries()) {
      await store.valkey.hset(keys.processes, `other-${at}`, text);
      await store.valkey.zadd(keys.processesSeen, Date.now(), `other-${at}`);
    }
    await store.valkey.zadd(keys.processesSeen, Date.now(), 'without an entry');
    expect(await store.processes.running()).toEqual([entry(1)]);
  });
});
