import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Instance } from '../domain/instance.ts';
import type { ExtendOutcome, ClaimOutcome } from '../pool/interfaces/claim-store.ts';
import { startStore, fillPool, named, silent, unlessNoPort, type TestStore } from '../../test/support/store.ts';
import {
  expectContainersToHoldTheirPorts,
  expectEdgesOfTheTable,
  expectIndexesToAgree,
  expectPortsToBalance,
  expectRoomToBeKept,
  readStoreState,
} from '../../test/support/store-state.ts';
import {
  actors,
  interleave,
  stepsOf,
  storeClockMs,
  untilPast,
  type Scene,
  type Step,
  type Visitor,
  type Witness,
} from '../../test/support/store-traffic.ts';
import { template as tiny } from '../../test/support/templates.ts';
import { openStore, type Store } from './store.ts';

/** PROPERTY_RUNS=20 runs each property twenty times as often as `make test` does. */
const runs = (count: number): number => count * Number(process.env['PROPERTY_RUNS'] ?? '1');
/** Few ports and little room, so that both run out; leases and cool-downs so short that they run out on the way. */
const RANGE = { start: 21_000, end: 21_004 };
const SETTINGS = { portRange: RANGE, portCoolDownMs: 4, leaseMs: 4 };
/** Longer than any case takes. */
const LONG_MS = 60_000;
const template = tiny({ pool: { target: 4, max: 9, replenishThreshold: 0 } });

let main: TestStore;
let stores: readonly [Store, ...Store[]];
beforeAll(async () => {
  main = await startStore(SETTINGS);
  const more = await Promise.all(
    // One with a lease that holds however long the machine takes.
    [SETTINGS, { ...SETTINGS, leaseMs: 60_000 }].map((settings) =>
      openStore({
        ...settings,
        valkey: { ...main.address, password: undefined },
        node: { name: 'node0', address: '127.0.0.1' },
        limits: { hourly: 0, daily: 0 },
        log: silent,
      }),
    ),
  );
  stores = [main, ...more];
});
afterAll(async () => {
  await Promise.all(stores.slice(1).map((store) => store.close()));
  await main[Symbol.asyncDispose]();
});

/** Who holds what, by what they were answered. Throws where two would hold the same. */
class Holdings implements Witness {
  readonly held = new Map<string, { readonly visitor: Visitor; deadlineMs: number }>();
  readonly #everTaken = new Set<string>();

  taken(visitor: Visitor, outcome: ClaimOutcome): void {
    if (outcome.kind === 'taken') {
      expect(this.#everTaken.has(outcome.id), `${outcome.id} was handed out twice`).toBe(false);
      this.#everTaken.add(outcome.id);
      const nowMs = outcome.deadlineMs - outcome.ttlMs;
      for (const [
        id,
        {
          visitor: { owner, key },
          deadlineMs,
        },
      ] of this.held) {
        const same = key !== undefined && owner === visitor.owner && key === visitor.key;
        if (same)
          expect(deadlineMs, `${owner} got a second one under ${key} while ${id} was theirs`).toBeLessThanOrEqual(
            nowMs,
          );
      }
      this.held.set(outcome.id, { visitor, deadlineMs: outcome.deadlineMs });
    }
    if (outcome.kind === 'again') {
      const { owner, key } = visitor;
      expect(this.held.get(outcome.id)?.visitor, "the same again is the same visitor's").toMatchObject({ owner, key });
    }
  }

  extended({ owner }: Visitor, id: string, deadlineMs: number): void {
    const held = this.held.get(id);
    expect(held?.visitor.owner, `${id} was extended`).toBe(owner);
    if (held !== undefined) held.deadlineMs = deadlineMs;
  }

  ended({ id }: Instance): void {
    this.held.delete(id);
  }

  noted(): void {
    // Only counted, where anything is.
  }
}

async function sceneOf(witness: Witness): Promise<Scene> {
  await main.clear();
  for (const store of stores) await store.rollbackGuard.check();
  return { stores, valkey: main.valkey, template, witness, tasks: [], running: new Map() };
}

it(
  'shares no instance or port, keeps within the capacity, and takes no other transition than the table ' +
    'has, in any order',
  async () => {
    const seen = new Map<string, number>();
    const saw = (what: string): void => {
      seen.set(what, (seen.get(what) ?? 0) + 1);
    };
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), actors({ min: 20, max: 60 }), async (scheduler, day) => {
        const holdings = new Holdings();
        const scene = await sceneOf({
          taken: (visitor, outcome) => {
            saw(outcome.kind);
            holdings.taken(visitor, outcome);
          },
          extended: (visitor, id, deadlineMs) => {
            saw('extended');
            holdings.extended(visitor, id, deadlineMs);
          },
          ended: (instance) => {
            saw(instance.reason ?? '');
            holdings.ended(instance);
          },
          noted: saw,
        });
        await fillPool(main, template);
        let before = await readStoreState(main.valkey, template.name);
        await interleave(
          scheduler,
          day.map((actor, at) => stepsOf(scene, actor, at)),
          async () => {
            const recorded = await readStoreState(main.valkey, template.name);
            expectPortsToBalance(recorded, RANGE);
            expectContainersToHoldTheirPorts(recorded, scene.running);
            expectRoomToBeKept(recorded, template);
            expectIndexesToAgree(recorded);
            expectEdgesOfTheTable(before, recorded);
            for (const [id, { visitor, deadlineMs }] of holdings.held)
              expect(recorded.records.get(id)).toMatchObject({ state: 'assigned', owner: visitor.owner, deadlineMs });
            before = recorded;
          },
        );
      }),
      { numRuns: runs(40) },
    );
    // What never happened was never tried.
    expect([...seen.keys()]).toEqual(
      expect.arrayContaining([
        'taken',
        'again',
        'empty',
        'extended',
        'released',
        'expired',
        'retired',
        'container_lost',
        'begun',
        'underway',
        'left_over',
        'conflicting_change',
        'no_free_port',
        'quarantined',
        'out of order',
        'forgotten',
      ]),
    );
  },
);

it('keeps every port in exactly one place at every moment while all of it happens at once', async () => {
  await fc.assert(
    fc.asyncProperty(actors({ min: 30, max: 60 }), async (day) => {
      const ids: string[] = [];
      const nothing = (): void => undefined;
      // Answers overtake each other here, so their order says nothing.
      const scene = await sceneOf({
        taken: (_visitor, outcome) => {
          if (outcome.kind === 'taken') ids.push(outcome.id);
        },
        extended: nothing,
        ended: nothing,
        noted: nothing,
      });
      await fillPool(main, template);
      let looks = 0;
      const over = new AbortController();
      const watching = (async () => {
        do {
          const recorded = await readStoreState(main.valkey, template.name);
          expectPortsToBalance(recorded, RANGE);
          expectRoomToBeKept(recorded, template);
          looks += 1;
        } while (!over.signal.aborted);
      })();
      watching.catch(() => undefined);
      const atOnce = day.map(async (actor, at) => {
        for (const { builder } of stepsOf(scene, actor, at)) await builder();
      });
      const settled = await Promise.allSettled(atOnce);
      over.abort();
      await watching;
      for (const outcome of settled) if (outcome.status === 'rejected') throw outcome.reason;
      expect(looks).toBeGreaterThan(0);
      expect(new Set(ids).size, 'each handed out once').toBe(ids.length);
      expectIndexesToAgree(await readStoreState(main.valkey, template.name));
    }),
    { numRuns: runs(30) },
  );
});

it(
  'plans no more than target and capacity allow, with many planners at the same ' +
    'time as everything that makes room',
  async () => {
    const pools = fc.record({
      target: fc.nat(6),
      max: fc.integer({ min: 1, max: 8 }),
      replenishThreshold: fc.constantFrom(0, 0.25, 0.5, 1),
    });
    const round = fc.array(
      fc.constantFrom(
        'plan' as const,
        'warm' as const,
        'take' as const,
        'release' as const,
        'clean' as const,
        'give back' as const,
      ),
      { minLength: 4, maxLength: 24 },
    );
    await fc.assert(
      fc.asyncProperty(pools, fc.array(round, { minLength: 1, maxLength: 6 }), async (pool, rounds) => {
        const sized = tiny({ pool });
        await sceneOf(new Holdings());
        const tickets: string[] = [];
        for (const moves of rounds) {
          const records = await main.inventory.list();
          await Promise.all(
            moves.map(async (move, at) => {
              const store = stores[at % stores.length] ?? main;
              const record = records[at % Math.max(1, records.length)];
              switch (move) {
                case 'plan':
                  tickets.push(...(await store.provisioningStore.reserveTickets(sized)));
                  break;
                case 'warm': {
                  const id = tickets.shift();
                  if (id === undefined) break;
                  const begun = await store.provisioningStore.beginAttempt(sized, {
                    id,
                    attempt: 'one',
                    version: 'v',
                    database: undefined,
                  });
                  if (begun.kind !== 'begun') break;
                  const instance = await named(store, begun.instance).catch(unlessNoPort);
                  if (instance !== undefined) await store.provisioningStore.markReady(instance, sized);
                  break;
                }
                case 'take':
                  await store.claimStore.claim({
                    template: sized,
                    clientKey: 's',
                    owner: 'ann',
                    idempotencyKey: undefined,
                    ttlMs: 60_000,
                  });
                  break;
                case 'release':
                  if (record !== undefined)
                    await store.cleanupStore.release(record, 'released', { from: ['assigned', 'ready'] });
                  break;
                case 'clean':
                  if (record?.state === 'releasing') {
                    await store.cleanupStore.recordContainerGone(record);
                    await store.cleanupStore.coolPort(record);
                    await store.cleanupStore.deleteRecord(record);
                  }
                  break;
                case 'give back': {
                  const id = tickets.pop();
                  if (id !== undefined) await store.provisioningStore.cancelTickets(sized.name, [id]);
                }
              }
              expectRoomToBeKept(await readStoreState(main.valkey, sized.name), sized);
            }),
          );
        }
      }),
      { numRuns: runs(60) },
    );
  },
);

it('either extends or expires: who was told of a new deadline has it, and nobody was told after the end', async () => {
  const seen = { extended: 0, refused: 0, expired: 0, lived: 0 };
  const sizes = fc.record({
    // Mostly so short that it runs out on the way, also on a machine that is fast.
    ttlMs: fc.oneof(
      { arbitrary: fc.integer({ min: 1, max: 12 }), weight: 5 },
      { arbitrary: fc.constant(LONG_MS), weight: 1 },
    ),
    by: fc.array(fc.constantFrom(2, 8, 60_000), { minLength: 1, maxLength: 4 }),
    reapers: fc.integer({ min: 1, max: 3 }),
    waits: fc.nat(2),
  });
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), sizes, async (scheduler, { ttlMs, by, reapers, waits }) => {
      await sceneOf(new Holdings());
      await fillPool(main, template);
      const taken = await main.claimStore.claim({
        template,
        clientKey: 's',
        owner: 'ann',
        idempotencyKey: undefined,
        ttlMs,
      });
      if (taken.kind !== 'taken') throw new Error(`there were idle instances, and the answer was ${taken.kind}`);
      let deadlineMs = taken.deadlineMs;
      let ended: Instance | undefined;
      const generations = new Set<number>();
      const extender = (byMs: number, at: number): Step[] => {
        let seenAs: Instance | undefined;
        return [
          {
            label: 'look',
            builder: async () => {
              seenAs = (await main.claimStore.find(taken.id))?.instance;
            },
          },
          {
            label: `extend by ${byMs}`,
            builder: async () => {
              if (seenAs === undefined) throw new Error('nobody deletes the record here');
              const outcome: ExtendOutcome = await (stores[at % stores.length] ?? main).claimStore.extend(
                seenAs,
                byMs,
                template.ttl.maxMs,
              );
              if (outcome.kind !== 'extended') {
                seen.refused += 1;
                if (ended !== undefined) expect(outcome.kind).toBe('not_assigned');
                return;
              }
              seen.extended += 1;
              expect(ended, 'extended after its end').toBeUndefined();
              expect(generations.has(outcome.generation), 'one generation, two extensions').toBe(false);
              generations.add(outcome.generation);
              expect(outcome.deadlineMs).toBe(deadlineMs + byMs);
              deadlineMs = outcome.deadlineMs;
            },
          },
        ];
      };
      const reap = (at: number): Step[] => {
        const store = stores[at % stores.length] ?? main;
        let due: Instance[] = [];
        return [
          {
            label: 'find expired',
            builder: async () => {
              due = await store.cleanupStore.expired(10);
            },
          },
          {
            label: 'expire',
            builder: async () => {
              for (const instance of due) {
                const outcome = await store.cleanupStore.release(instance, 'expired', {
                  from: ['assigned'],
                  onlyIfExpired: true,
                });
                if (outcome.kind === 'unchanged') continue;
                expect(ended, 'ended twice').toBeUndefined();
                expect(outcome.instance.deadlineMs, 'the deadline that was announced last').toBe(deadlineMs);
                expect(deadlineMs).toBeLessThanOrEqual(await storeClockMs(main.valkey));
                ended = outcome.instance;
              }
            },
          },
        ];
      };
      const wait: Step[] = [
        {
          label: 'time passes',
          builder: () => untilPast(main.valkey, Math.min(taken.deadlineMs, taken.deadlineMs - ttlMs + 12)),
        },
      ];
      await interleave(
        scheduler,
        [
          ...by.map(extender),
          ...Array.from({ length: reapers }, (_, at) => reap(at)),
          ...Array.from({ length: waits }, () => wait),
        ],
        () => Promise.resolve(),
      );
      if (ended === undefined) {
        seen.lived += 1;
        const recorded = await readStoreState(main.valkey, template.name);
        expect(recorded.records.get(taken.id)).toMatchObject({ state: 'assigned', deadlineMs });
        expectIndexesToAgree(recorded);
      } else seen.expired += 1;
    }),
    { numRuns: runs(150) },
  );
  for (const [what, count] of Object.entries(seen)) expect(count, what).toBeGreaterThan(0);
});
