import { describeError } from '../../../src/domain/errors.ts';
import { sleep } from '../../../src/lifecycle/sleep.ts';
import type { Fleet } from '../../fleet/fleet.ts';
import { eventually } from '../../support/eventually.ts';
import { disorder } from './audit.ts';
import { OFFERED, type Asked, type Client } from './client.ts';
import type { Crowd, Visit } from './crowd.ts';
import type { Fault, Struck } from './faults.ts';
import type { Entry, RecordedState } from './recorded-state.ts';
import type { Watch } from './watch.ts';

/** A fleet with its visitors, and what watches both. */
export interface Scene {
  readonly fleet: Fleet;
  readonly state: RecordedState;
  readonly watch: Watch;
  readonly client: Client;
  readonly crowd: Crowd;
  readonly template: string;
  readonly target: number;
  readonly visitorsPerSecond: number;
  /** Ends all waiting. */
  readonly signal: AbortSignal;
}

/** What came of one fault. Times in ms; undefined: not while it lasted, or not within the patience. */
export interface Outcome {
  readonly fault: string;
  readonly lastedMs: number;
  /** What acquires came to that were begun while it lasted, with how often. */
  readonly asked: Readonly<Record<string, number>>;
  readonly repeated: number;
  /** From the fault until every acquire is answered with an instance within a second, without being repeated. */
  readonly servedAfterMs: number;
  /** From the fault until as many as meant stand ready on what is left. */
  readonly poolAfterMs: number | undefined;
  /** From the fault until nothing is ready any more on a host that is lost. */
  readonly withdrawnAfterMs: number | undefined;
  /** From the return of a host, or a worker, until it has a fresh instance ready. */
  readonly stockAfterMs: number | undefined;
  /** From the return until all is in order. */
  readonly orderAfterMs: number | undefined;
  /** Of visitors who were in instances elsewhere than on the host that was struck. */
  readonly elsewhere: Noticed;
  readonly there: Noticed;
  /** What extending and releasing were refused with, with how often. */
  readonly refusals: Readonly<Record<string, number>>;
  /** What must not be, in words. */
  readonly problems: readonly string[];
}

interface Noticed {
  readonly visitors: number;
  /** How many lost their instance while they were in it. */
  readonly lost: number;
  /** Pages that came by the other proxy, and how many visitors saw none by either. */
  readonly repeated: number;
  readonly noticed: number;
  /** How many of them were offered another instance. */
  readonly offered: number;
  /** What they saw, with how often. */
  readonly seen: Readonly<Record<string, number>>;
}

const RESIDENTS_PER_NODE = 2;
const BEFORE_MS = 2_000;
/** A fault that is not overcome by then ends all the same. */
const LONGEST_MS = 30_000;
const PATIENCE_MS = 60_000;
const AT_ONCE_MS = 1_000;
const CALM_ACQUIRES = 4;
/** The product's promise, counted from the last heartbeat. */
const WITHDRAWN_MS = 15_000;

/** Plays one fault under a steady crowd, and audits the fleet after it. */
export async function play(scene: Scene, fault: Fault): Promise<Outcome> {
  const { fleet, crowd, watch } = scene;
  await settle(scene);
  crowd.come(scene.visitorsPerSecond);
  await sleep(BEFORE_MS);
  const fromMs = performance.now();
  const struck = await fault.strike(fleet);
  let overcome: Overcome;
  try {
    overcome = await outlast(scene, fault, struck, fromMs);
  } finally {
    await pass(struck, crowd);
  }
  const known = new Set(watch.latest.records.map(({ id }) => id));
  const backMs = performance.now();
  const stockAfterMs = struck.refills === undefined ? undefined : await fresh(scene, struck.refills, known, backMs);
  await crowd.pause();
  const left = await inOrder(scene, struck);
  const orderAfterMs = left.length === 0 ? performance.now() - backMs : undefined;
  const there = (visit: Visit): boolean => struck.node !== undefined && watch.nodeOf.get(visit.id) === struck.node;
  const visits = crowd.visits.filter(({ looks }) => (looks.at(-1)?.atMs ?? 0) >= fromMs);
  const elsewhere = noticed(
    visits.filter((visit) => !there(visit)),
    fromMs,
  );
  return {
    fault: fault.name,
    lastedMs: backMs - fromMs,
    ...acquired(crowd.acquires, fromMs, backMs),
    ...overcome,
    stockAfterMs,
    orderAfterMs,
    elsewhere,
    there: noticed(visits.filter(there), fromMs),
    refusals: counted(visits.flatMap(({ refusals }) => refusals)),
    problems: [
      ...left,
      ...crowd.problems.splice(0),
      ...lateWithdrawal(struck, overcome),
      ...pagesMissed(
        visits.filter((visit) => !there(visit)),
        fromMs,
        watch,
      ),
    ],
  };
}

/** In order, with residents on each node, and each fault the first that befalls its node. */
async function settle(scene: Scene): Promise<void> {
  const { crowd, watch, fleet, state } = scene;
  const nodes = fleet.hosts.map(({ machine }) => machine.name);
  await state.forgetLosses(nodes);
  await crowd.settle(nodes, RESIDENTS_PER_NODE, (id) => watch.nodeOf.get(id));
  const left = await inOrder(scene, undefined);
  if (left.length > 0) throw new Error(`the fleet is not in order before the fault: ${left.join('; ')}`);
}

type Overcome = Pick<Outcome, 'poolAfterMs' | 'withdrawnAfterMs'>;

/** Until it has lasted its time, all are served at once and the pool is full; since when what is as it should be. */
async function outlast(
  { crowd, watch, target, signal }: Scene,
  { lastsMs }: Fault,
  { node }: Struck,
  fromMs: number,
): Promise<Overcome> {
  let poolAfterMs: number | undefined;
  let withdrawnAfterMs: number | undefined;
  for (;;) {
    const tookMs = performance.now() - fromMs;
    const since = crowd.acquires.filter(({ atMs }) => atMs >= fromMs);
    const served = since.find(({ outcome }) => outcome === 'ok');
    if (
      poolAfterMs === undefined &&
      served !== undefined &&
      watch.ready((entry) => entry.node !== node, served.atMs + served.tookMs) >= target
    )
      poolAfterMs = watch.latest.atMs - fromMs;
    const isThere = (entry: Entry): boolean => entry.node === node;
    if (withdrawnAfterMs === undefined && node !== undefined && watch.latest.atMs > fromMs && !watch.any(isThere))
      withdrawnAfterMs = watch.latest.atMs - fromMs;
    const calm = since.length >= CALM_ACQUIRES && since.slice(-CALM_ACQUIRES).every(wasAtOnce);
    if ((tookMs >= lastsMs && poolAfterMs !== undefined && calm) || tookMs >= LONGEST_MS || signal.aborted)
      return { poolAfterMs, withdrawnAfterMs };
    await sleep(50);
  }
}

function lateWithdrawal({ withdrawn }: Struck, { withdrawnAfterMs = Infinity }: Overcome): string[] {
  if (withdrawn === undefined || withdrawnAfterMs <= WITHDRAWN_MS) return [];
  const after = Number.isFinite(withdrawnAfterMs) ? `${(withdrawnAfterMs / 1_000).toFixed(1)} s` : 'not';
  return [`what was ready on ${withdrawn} was withdrawn after ${after}`];
}

/** Visitors go on meanwhile; one who takes it ill is no reason to leave a host off. */
async function pass(struck: Struck, crowd: Crowd): Promise<void> {
  try {
    await struck.pass();
  } catch (error) {
    crowd.problems.push(`what was gone does not run again: ${describeError(error)}`);
  }
}

async function fresh(
  { watch, signal }: Scene,
  node: string,
  known: ReadonlySet<string>,
  backMs: number,
): Promise<number | undefined> {
  return eventually(
    () => {
      if (watch.ready((entry) => entry.node === node && !known.has(entry.id), backMs) === 0 && !signal.aborted)
        throw new Error(`${node} has no fresh instance`);
      return watch.latest.atMs - backMs;
    },
    { timeoutMs: PATIENCE_MS },
  ).catch(() => undefined);
}

/** What is still out of order when the patience is over. Residents whose instances went with the host are gone too. */
async function inOrder(scene: Scene, struck: Struck | undefined): Promise<readonly string[]> {
  const { fleet, state, watch, client, crowd, template, target } = scene;
  let left: readonly string[] = [];
  await eventually(
    async () => {
      left = await look();
      if (left.length > 0 && !scene.signal.aborted) throw new Error('not in order');
    },
    { timeoutMs: PATIENCE_MS, everyMs: 200 },
  ).catch(() => undefined);
  return left;

  async function look(): Promise<readonly string[]> {
    try {
      const records = new Set((await state.records()).map(({ id }) => id));
      for (const visit of crowd.residents)
        if (!records.has(visit.id) && struck?.node === watch.nodeOf.get(visit.id)) visit.over = true;
      const lost = crowd.residents.filter(({ id }) => !records.has(id)).map(({ id }) => `${id} of a resident is gone`);
      const found = await disorder(fleet, state, client, { template, target, residents: crowd.residents });
      return [...lost, ...found];
    } catch (error) {
      return [`nobody can tell what is in order: ${describeError(error)}`];
    }
  }
}

function wasAtOnce({ outcome, repeated, tookMs }: Asked): boolean {
  return outcome === 'ok' && !repeated && tookMs <= AT_ONCE_MS;
}

function acquired(
  all: readonly Asked[],
  fromMs: number,
  backMs: number,
): Pick<Outcome, 'asked' | 'repeated' | 'servedAfterMs'> {
  const asked = all.filter(({ atMs, tookMs }) => atMs + tookMs >= fromMs && atMs <= backMs);
  return {
    asked: counted(asked.map(({ outcome }) => outcome)),
    repeated: asked.filter(({ repeated }) => repeated).length,
    servedAfterMs: Math.max(
      0,
      ...asked.filter((each) => !wasAtOnce(each)).map(({ atMs, tookMs }) => atMs + tookMs - fromMs),
    ),
  };
}

function noticed(visits: readonly Visit[], fromMs: number): Noticed {
  const looks = visits.map((visit) => visit.looks.filter(({ atMs }) => atMs >= fromMs));
  const without = looks.map((all) => all.filter(({ title }) => title === undefined)).filter((all) => all.length > 0);
  return {
    visitors: visits.length,
    lost: visits.filter(({ refusals }) => refusals.some((refusal) => /(unknown_instance|not_assigned)$/.test(refusal)))
      .length,
    repeated: looks.flat().filter(({ title, trouble }) => title !== undefined && trouble !== undefined).length,
    noticed: without.length,
    offered: without.filter((all) => all.some(({ trouble }) => trouble?.includes(OFFERED) === true)).length,
    seen: counted(without.flat().map(({ trouble }) => trouble ?? '')),
  };
}

/** In words, each visitor who saw no page by either proxy. */
function pagesMissed(visits: readonly Visit[], fromMs: number, { nodeOf }: Watch): string[] {
  return visits.flatMap(({ id, resident, looks }) => {
    const missed = looks.flatMap(({ title, trouble = '', atMs }, at) =>
      title === undefined && atMs >= fromMs
        ? [`page ${at + 1} of ${looks.length} after ${((atMs - fromMs) / 1_000).toFixed(1)} s (${trouble})`]
        : [],
    );
    const who = `${resident ? 'a resident' : 'a visitor'} of ${id} on ${nodeOf.get(id) ?? 'an unknown node'}`;
    return missed.length === 0 ? [] : [`${who} saw no ${missed.slice(0, 3).join(', no ')}`];
  });
}

function counted(all: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const one of all) counts[one] = (counts[one] ?? 0) + 1;
  return counts;
}
