import fc from 'fast-check';
import type { Redis as Valkey } from 'iovalkey';
import { newAttempt } from '../../src/domain/ids.ts';
import type { Instance } from '../../src/domain/instance.ts';
import { templateVersion, type Template } from '../../src/domain/template.ts';
import type { ClaimOutcome } from '../../src/pool/interfaces/claim-store.ts';
import { keys } from '../../src/store/keys.ts';
import type { Store } from '../../src/store/store.ts';
import { sleep } from '../../src/lifecycle/sleep.ts';

/** Told of what visitors were answered, in the order in which the store answered. */
export interface Witness {
  taken(visitor: Visitor, outcome: ClaimOutcome, replacing: string | undefined): void;
  extended(visitor: Visitor, id: string, deadlineMs: number): void;
  ended(instance: Instance): void;
  /** Anything else that came to pass: what never does was never tried. */
  noted(what: string): void;
}

export interface Visitor {
  readonly owner: string;
  readonly key: string | undefined;
  readonly ttlMs: number;
}

/** One pool as it is seen by several processes at once, each with its own connection. */
export interface Scene {
  readonly stores: readonly [Store, ...Store[]];
  readonly valkey: Valkey;
  readonly template: Template;
  readonly witness: Witness;
  /** The queue: ids whose task is out. A task that was handled may come again, so none is ever taken off. */
  readonly tasks: string[];
  /** The engine: container → what it answers for. */
  readonly running: Map<string, { readonly id: string; readonly port: number }>;
}

/** One call of the store; what happens between two of them is up to the scheduler. */
export interface Step {
  readonly label: string;
  readonly builder: () => Promise<void>;
}

const step = (label: string, builder: () => Promise<void>): Step => ({ label, builder });

const visit = fc.record({
  kind: fc.constant('visit' as const),
  owner: fc.constantFrom('ann', 'ben'),
  key: fc.constantFrom(undefined, 'k1', 'k1'),
  ttlMs: fc.constantFrom(3, 60_000),
  then: fc.array(fc.constantFrom('extend' as const, 'outlive' as const, 'release' as const, 'replace' as const), {
    maxLength: 4,
  }),
});
/** `steps`: how far it comes before it stands still for good. */
const worker = fc.record({
  kind: fc.constant('worker' as const),
  task: fc.nat(4),
  steps: fc.constantFrom(1, 2, 3, 4, 5, 6, 7, 7, 7, 7),
  fails: fc.constantFrom(false, false, true),
});
const cleaner = fc.record({
  kind: fc.constant('cleaner' as const),
  pick: fc.nat(20),
  steps: fc.constantFrom(1, 2, 3, 4, 5, 5, 5, 5),
  fails: fc.constantFrom(false, false, false, true),
});
const planner = fc.record({ kind: fc.constant('planner' as const) });
const reaper = fc.record({ kind: fc.constant('reaper' as const) });
const retirer = fc.record({ kind: fc.constant('retirer' as const), pick: fc.nat(20) });
const settler = fc.record({ kind: fc.constant('settler' as const) });

type Drawn<A> = A extends fc.Arbitrary<infer T> ? T : never;
type Visit = Drawn<typeof visit>;
type Worker = Drawn<typeof worker>;
type Cleaner = Drawn<typeof cleaner>;
export type Actor =
  | Visit
  | Worker
  | Cleaner
  | Drawn<typeof planner>
  | Drawn<typeof reaper>
  | Drawn<typeof retirer>
  | Drawn<typeof settler>;

/** Mostly work on instances, with visitors among it. */
export function actors(options: { readonly min: number; readonly max: number }): fc.Arbitrary<Actor[]> {
  const actor: fc.Arbitrary<Actor> = fc.oneof(
    { arbitrary: visit, weight: 6 },
    { arbitrary: worker, weight: 8 },
    { arbitrary: cleaner, weight: 4 },
    { arbitrary: planner, weight: 3 },
    { arbitrary: reaper, weight: 2 },
    { arbitrary: retirer, weight: 1 },
    { arbitrary: settler, weight: 1 },
  );
  return fc.array(actor, { minLength: options.min, maxLength: options.max, size: 'max' });
}

export function stepsOf(scene: Scene, actor: Actor, at: number): Step[] {
  const store = scene.stores[at % scene.stores.length] ?? scene.stores[0];
  switch (actor.kind) {
    case 'visit':
      return visiting(scene, store, actor);
    case 'worker':
      return working(scene, store, actor);
    case 'cleaner':
      return cleaning(scene, store, actor);
    case 'planner':
      return [
        step('plan', async () => {
          scene.tasks.push(...(await store.provisioningStore.reserveTickets(scene.template)));
        }),
      ];
    case 'reaper':
      return reaping(scene, store);
    case 'retirer':
      return retiring(scene, store, actor.pick);
    case 'settler':
      return [
        step('settle', async () => {
          const repaired = [
            await store.inventory.reconcilePorts(),
            await store.inventory.reconcileIndexes(await store.inventory.list()),
          ];
          if (repaired.some((count) => count > 0))
            throw new Error(`there was something to repair: ${repaired.join(' ports, ')} index entries`);
        }),
      ];
  }
}

/** By the clock that decides. */
export async function storeClockMs(valkey: Valkey): Promise<number> {
  const [seconds, micros] = await valkey.time();
  return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
}

export async function untilPast(valkey: Valkey, timeMs: number): Promise<void> {
  while ((await storeClockMs(valkey)) <= timeMs) await sleep(1);
}

function visiting({ valkey, template, witness }: Scene, store: Store, visitor: Visit): Step[] {
  const { owner, key, ttlMs, then } = visitor;
  let held: { readonly id: string; readonly deadlineMs: number } | undefined;
  let seen: Instance | undefined;
  const take = async (replacing?: string): Promise<void> => {
    const outcome = await store.claimStore.claim({
      template,
      clientKey: '203.0.113.7',
      owner,
      idempotencyKey: key,
      ttlMs,
      ...(replacing === undefined ? {} : { replacing }),
    });
    witness.taken(visitor, outcome, replacing);
    held = outcome.kind === 'taken' || outcome.kind === 'again' ? outcome : undefined;
  };
  const look = step('look', async () => {
    seen = held === undefined ? undefined : (await store.claimStore.find(held.id))?.instance;
  });
  const outlive = async (): Promise<void> => {
    if (held !== undefined && held.deadlineMs - (await storeClockMs(valkey)) < 1_000)
      await untilPast(valkey, held.deadlineMs);
  };
  const letGo = (reason: 'released' | 'container_lost') =>
    step(reason, async () => {
      if (seen === undefined) return;
      const outcome = await store.cleanupStore.release(seen, reason, { from: ['assigned'] });
      if (outcome.kind === 'releasing') witness.ended(outcome.instance);
    });
  return [
    step('take', () => take()),
    ...then.flatMap((next): Step[] => {
      switch (next) {
        case 'extend':
          return [
            look,
            step('extend', async () => {
              if (seen?.state !== 'assigned') return;
              const outcome = await store.claimStore.extend(seen, 60_000, template.ttl.maxMs);
              if (outcome.kind === 'extended') witness.extended(visitor, seen.id, outcome.deadlineMs);
            }),
          ];
        case 'outlive':
          return ttlMs > 1_000 ? [] : [step('outlive', outlive)];
        case 'release':
          return [look, letGo('released')];
        case 'replace':
          return [
            look,
            letGo('container_lost'),
            step('take instead', async () => {
              if (seen !== undefined) await take(seen.id);
            }),
          ];
      }
    }),
  ];
}

/** One delivery of a task, up to where this worker comes. */
function working({ template, witness, tasks, running }: Scene, store: Store, { task, steps, fails }: Worker): Step[] {
  let mine: Instance | undefined;
  const guarded = (label: string, work: (instance: Instance) => Promise<void>) =>
    step(label, async () => {
      if (mine === undefined) return;
      await work(mine).catch((error: unknown) => {
        const { code } = error as { code?: string };
        if (code !== 'conflicting_change' && code !== 'no_free_port') throw error;
        witness.noted(code);
        mine = undefined;
      });
    });
  const all: Step[] = [
    step('begin', async () => {
      const id = tasks[task % Math.max(1, tasks.length)];
      if (id === undefined) return;
      const begun = await store.provisioningStore.beginAttempt(template, {
        id,
        attempt: newAttempt(),
        version: templateVersion(template),
        database: task % 2 === 0 ? `db_${id}` : undefined,
      });
      witness.noted(begun.kind);
      mine = begun.kind === 'begun' ? begun.instance : undefined;
    }),
    guarded('allocate', async (instance) => {
      mine = await store.provisioningStore.allocatePort(instance);
    }),
    guarded('start', async (instance) => {
      await store.provisioningStore.recordStep(instance, 'container_started');
      if (instance.port !== null) running.set(instance.container, { id: instance.id, port: instance.port });
    }),
    guarded('keep alive', async (instance) => {
      if (!(await store.provisioningStore.renewLease(instance))) mine = undefined;
    }),
    guarded('activate', (instance) => store.provisioningStore.recordStep(instance, 'activated')),
    guarded('publish', (instance) => store.provisioningStore.publishHostname(instance)),
    guarded('ready', async (instance) => {
      if (instance.port === null) throw new Error('an instance without a port cannot be ready');
      await store.provisioningStore.markReady(instance, template);
    }),
  ];
  const failing = guarded('fail', async (instance) => {
    const outcome = await store.cleanupStore.release(instance, 'provision_failed', {
      from: ['warming'],
      ...(instance.attempt === undefined ? {} : { attempt: instance.attempt }),
    });
    if (outcome.kind === 'releasing') witness.ended(outcome.instance);
  });
  return [...all.slice(0, steps), ...(fails ? [failing] : [])];
}

/** The cleanup of whatever is found on its way out, up to where this worker comes; `fails`: its first step does. */
function cleaning({ valkey, witness, running }: Scene, store: Store, { pick, steps, fails }: Cleaner): Step[] {
  let leaving: Instance | undefined;
  let over = false;
  const strict = (label: string, work: (instance: Instance) => Promise<void>) =>
    step(label, async () => {
      if (leaving === undefined || over) return;
      await work(leaving).catch((error: unknown) => {
        // Somebody else has quarantined it, or an earlier attempt's worker speaks of a later one:
        // refused, as it should be.
        if (!(error instanceof Error) || !error.message.includes('not that far in its cleanup')) throw error;
        witness.noted('out of order');
        over = true;
      });
    });
  const found = step('find one leaving', async () => {
    const all = (await store.inventory.list())
      .filter(({ state }) => state === 'releasing' || state === 'quarantined')
      .sort((a, b) => (a.id < b.id ? -1 : 1));
    leaving = all[pick % Math.max(1, all.length)];
  });
  const again = strict('release again', async (instance) => {
    if (instance.state !== 'quarantined') return;
    const outcome = await store.cleanupStore.release(instance, 'abandoned', {
      from: ['quarantined'],
      generation: instance.generation,
    });
    if (outcome.kind === 'releasing') witness.ended(outcome.instance);
  });
  if (fails)
    return [
      found,
      again,
      strict('quarantine', async (instance) => {
        if ((await store.cleanupStore.quarantine(instance, 'the engine refuses')) > 0) witness.noted('quarantined');
      }),
    ];
  return [
    found,
    again,
    ...[
      strict('remove', (instance) => {
        running.delete(instance.container);
        return Promise.resolve();
      }),
      strict('container gone', (instance) => store.cleanupStore.recordContainerGone(instance)),
      strict('database dropped', (instance) => store.cleanupStore.recordDatabaseDropped(instance)),
      strict('cool port', (instance) => store.cleanupStore.coolPort(instance)),
      // What the record still holds decides, so a stale copy may come too early.
      strict('forget', async (instance) => {
        if ((await valkey.hexists(keys.instances, instance.id)) === 0) return;
        await store.cleanupStore.deleteRecord(instance);
        witness.noted('forgotten');
      }),
    ].slice(0, steps),
  ];
}

function reaping({ witness }: Scene, store: Store): Step[] {
  let due: Instance[] = [];
  return [
    step('find expired', async () => {
      due = await store.cleanupStore.expired(50);
    }),
    step('expire', async () => {
      for (const instance of due) {
        const outcome = await store.cleanupStore.release(instance, 'expired', {
          from: ['assigned'],
          onlyIfExpired: true,
        });
        if (outcome.kind === 'releasing') witness.ended(outcome.instance);
      }
    }),
  ];
}

function retiring({ witness }: Scene, store: Store, pick: number): Step[] {
  let stale: Instance | undefined;
  return [
    step('find idle instances', async () => {
      const ready = (await store.inventory.list())
        .filter(({ state }) => state === 'ready')
        .sort((a, b) => (a.id < b.id ? -1 : 1));
      stale = ready[pick % Math.max(1, ready.length)];
    }),
    step('retire', async () => {
      if (stale === undefined) return;
      const outcome = await store.cleanupStore.release(stale, 'retired', {
        from: ['ready'],
        generation: stale.generation,
      });
      if (outcome.kind === 'releasing') witness.ended(outcome.instance);
    }),
  ];
}

/**
 * Runs the actors' steps one at a time, in an order that the scheduler draws; `after` each of them.
 * Rejects with the first failure.
 */
export async function interleave(
  scheduler: fc.Scheduler,
  all: readonly Step[][],
  after: () => Promise<void>,
): Promise<void> {
  const failed: unknown[] = [];
  const tasks = all.map(
    (steps) =>
      scheduler.scheduleSequence(
        steps.map(({ label, builder }) => ({
          label,
          builder: async () => {
            if (failed.length > 0) return;
            try {
              await builder();
              await after();
            } catch (error) {
              failed.push(error);
            }
          },
        })),
      ).task,
  );
  await scheduler.waitFor(Promise.all(tasks));
  if (failed.length > 0) throw failed[0];
}
