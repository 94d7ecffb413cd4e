import type { Redis as Valkey } from 'iovalkey';
import { expect } from 'vitest';
import type { Instance } from '../../src/domain/instance.ts';
import { canMove } from '../../src/domain/lifecycle.ts';
import type { Template } from '../../src/domain/template.ts';
import { keys } from '../../src/store/keys.ts';

/** Everything the store holds about some templates on one node, read in one moment. */
export interface StoreState {
  readonly records: ReadonlyMap<string, Instance>;
  readonly ready: ReadonlyMap<string, number>;
  readonly tickets: ReadonlyMap<string, number>;
  readonly assigned: ReadonlyMap<string, number>;
  readonly leaving: ReadonlyMap<string, number>;
  readonly available: readonly number[];
  readonly cooling: readonly number[];
  /** port → id */
  readonly held: ReadonlyMap<number, string>;
  /** label → what it resolves to */
  readonly hostnames: ReadonlyMap<string, { readonly id: string; readonly port: number }>;
}

const NODE = 'node0';

function scores(pairs: readonly string[]): Map<string, number> {
  return new Map(pairs.flatMap((id, at) => (at % 2 === 0 ? [[id, Number(pairs[at + 1])] as const] : [])));
}

/** One transaction, so that no script can run between two of the looks. */
export async function readStoreState(valkey: Valkey, ...templates: readonly string[]): Promise<StoreState> {
  const asked = valkey
    .multi()
    .hgetall(keys.instances)
    .smembers(keys.availablePorts(NODE))
    .zrange(keys.coolingPorts(NODE), 0, -1)
    .hgetall(keys.heldPorts(NODE))
    .hgetall(keys.hostnames);
  const indexes = [keys.ready, keys.warming, keys.assigned, keys.leaving];
  for (const index of indexes) for (const template of templates) asked.zrange(index(template), 0, -1, 'WITHSCORES');
  const replies = ((await asked.exec()) ?? []).map(([error, reply]) => {
    if (error !== null) throw error;
    return reply;
  });
  const [records, available, cooling, held, hostnames, ...members] = replies as [
    Record<string, string>,
    string[],
    string[],
    Record<string, string>,
    Record<string, string>,
    ...string[][],
  ];
  const [ready, tickets, assigned, leaving] = indexes.map((_, at) =>
    scores(members.slice(at * templates.length, (at + 1) * templates.length).flat()),
  );
  if (ready === undefined || tickets === undefined || assigned === undefined || leaving === undefined)
    throw new Error('four indexes were asked for');
  return {
    records: new Map(Object.entries(records).map(([id, text]) => [id, JSON.parse(text) as Instance])),
    ready,
    tickets,
    assigned,
    leaving,
    available: available.map(Number),
    cooling: cooling.map(Number),
    held: new Map(Object.entries(held).map(([port, id]) => [Number(port), id])),
    hostnames: new Map(
      Object.entries(hostnames).map(([label, text]) => [label, JSON.parse(text) as { id: string; port: number }]),
    ),
  };
}

/** available + cooling + held = range, each port in exactly one of them, and held by the record that names it. */
export function expectPortsToBalance(
  recorded: StoreState,
  range: { readonly start: number; readonly end: number },
): void {
  const all = [...recorded.available, ...recorded.cooling, ...recorded.held.keys()].sort((a, b) => a - b);
  expect(all, 'each port in exactly one of available, cooling and held').toEqual(
    Array.from({ length: range.end - range.start + 1 }, (_, at) => range.start + at),
  );
  const named = [...recorded.records.values()]
    .filter(({ port }) => port !== null)
    .map(({ id, port }) => `${port ?? ''} ${id}`);
  expect(
    [...recorded.held].map(([port, id]) => `${port} ${id}`).sort(),
    'held ports are those that records name',
  ).toEqual(named.sort());
}

/** A port may be given to nobody else while a container may still answer on it. */
export function expectContainersToHoldTheirPorts(
  { held }: StoreState,
  running: ReadonlyMap<string, { readonly id: string; readonly port: number }>,
): void {
  for (const [container, { id, port }] of running)
    expect(held.get(port), `who holds port ${port}, where ${container} still answers`).toBe(id);
}

/**
 * Each record is in the one index of its state, with its own time, and a name resolves to the port
 * of who may be visited.
 */
export function expectIndexesToAgree(recorded: StoreState): void {
  const { records } = recorded;
  const inState = (states: readonly string[], time: (record: Instance) => number | null): Map<string, number | null> =>
    new Map(
      [...records.values()].filter(({ state }) => states.includes(state)).map((record) => [record.id, time(record)]),
    );
  expect(new Map(recorded.ready), 'ready index').toEqual(inState(['ready'], ({ endOfLifeMs }) => endOfLifeMs));
  expect(new Map(recorded.assigned), 'assigned index').toEqual(inState(['assigned'], ({ deadlineMs }) => deadlineMs));
  expect([...recorded.leaving.keys()].sort(), 'leaving index').toEqual(
    [...inState(['releasing', 'quarantined'], () => null).keys()].sort(),
  );
  for (const id of recorded.tickets.keys())
    expect(['warming', 'releasing', 'quarantined', undefined], `the ticket ${id} is out`).toContain(
      records.get(id)?.state,
    );
  for (const [label, { id, port }] of recorded.hostnames) {
    expect(records.get(id), `${label} resolves`).toMatchObject({ label, port });
    expect(['warming', 'ready', 'assigned']).toContain(records.get(id)?.state);
  }
  for (const { label, state } of records.values())
    if (state === 'ready' || state === 'assigned')
      expect(recorded.hostnames.has(label), `${label} resolves`).toBe(true);
}

/**
 * Ready, assigned, leaving and reserved together never exceed the capacity, nor ready and reserved the target. A ticket
 * whose earlier attempt is leaving is one instance.
 */
export function expectRoomToBeKept(
  { records, ready, tickets, assigned, leaving }: StoreState,
  { pool }: Pick<Template, 'pool'>,
): void {
  expect(
    new Set([...records.keys(), ...ready.keys(), ...tickets.keys(), ...assigned.keys(), ...leaving.keys()]).size,
    'within the capacity',
  ).toBeLessThanOrEqual(pool.max);
  expect(ready.size + tickets.size, 'within the target').toBeLessThanOrEqual(pool.target);
}

/** Between two looks, with one step between them, every record went along one edge of the lifecycle's table at most. */
export function expectEdgesOfTheTable(before: StoreState, after: StoreState): void {
  for (const id of new Set([...before.records.keys(), ...after.records.keys()])) {
    const [earlier, later] = [before.records.get(id), after.records.get(id)];
    if (earlier === undefined) expect(later?.state, `${id} came into being`).toBe('warming');
    else if (later === undefined)
      expect(canMove(earlier.state, 'gone'), `${id} went from ${earlier.state} to gone`).toBe(true);
    else {
      if (earlier.state !== later.state)
        expect(canMove(earlier.state, later.state), `${id} went from ${earlier.state} to ${later.state}`).toBe(true);
      expect(later.attempt, `${id} changed hands without having been gone`).toBe(earlier.attempt);
      expect(later.generation - earlier.generation, `generation of ${id}`).toBe(
        JSON.stringify(earlier) === JSON.stringify(later) ? 0 : 1,
      );
    }
  }
}
