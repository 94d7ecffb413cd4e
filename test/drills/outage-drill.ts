import { describeError } from '../../src/domain/errors.ts';
import { sleep } from '../../src/lifecycle/sleep.ts';
import { discrepancies, discrepanciesSoFar, readRecords } from '../support/state-audit.ts';
import { eventually } from '../support/eventually.ts';
import { Crowd, type Asked, type CrowdOptions, type Trouble, type Visit } from '../support/visitors.ts';
import type { Scenario } from './outage-scenarios.ts';
import type { World } from './outage-world.ts';

export interface DrillOptions {
  readonly crowd: Omit<CrowdOptions, 'api' | 'proxyPort'>;
  readonly residents: number;
  /** Of undisturbed service before the outage, ms. */
  readonly beforeMs: number;
  readonly outageMs: number;
  /** Bounds the wait for service and for a consistent recorded state afterwards, ms. */
  readonly patienceMs: number;
}

export interface Outcome {
  readonly scenario: Scenario;
  /** What acquires begun during the outage came to, with how often. */
  readonly asked: ReadonlyMap<string, number>;
  readonly withoutRetryAfter: number;
  readonly slowestAnswerMs: number;
  /** What visitors in an app noticed from the outage on, with how often. */
  readonly troubles: ReadonlyMap<string, number>;
  readonly visitorsTroubled: number;
  readonly visitorsInApps: number;
  readonly longestGapMs: number;
  /** Residents who had no answer from their app any more after the part's return. */
  readonly stranded: number;
  /** From the part's return until a visitor got an instance and opened it. */
  readonly serviceAfterMs: number;
  /** From the part's return until every pool was full and the recorded state was consistent. */
  readonly poolAfterMs: number;
  /** Tasks that were dead-lettered meanwhile: kept for somebody to look at, and nothing hangs on them any more. */
  readonly deadLettered: number;
  /** What was out of order when the patience was over, and who holds an instance that nobody was given. */
  readonly lost: readonly string[];
  /** Second by second, for anyone who wants to know how it came about. */
  readonly seconds: readonly string[];
}

/** As the audit words it. */
const DEAD_TASKS = /^(\d+) tasks are dead$/;

/** Stages one outage under a steady crowd, and notes what everybody saw. */
export async function stage(world: World, scenario: Scenario, options: DrillOptions): Promise<Outcome> {
  const { patienceMs } = options;
  await balanced(world, patienceMs);
  const crowd = new Crowd({ ...options.crowd, api: world.api, proxyPort: world.proxyPort });
  try {
    await crowd.settle(options.residents);
    crowd.start();
    await sleep(options.beforeMs);
    const early = crowd.visits.filter(({ troubles }) => troubles.length > 0);
    if (early.length > 0) throw new Error(`visitors had trouble before the outage: ${JSON.stringify(early[0])}`);
    const deadBefore = deadTasks(await discrepancies(world.auditTarget));
    const { fromMs, goneMs, backMs } = await strike(world, scenario, options.outageMs);
    const serviceAfterMs = await served(crowd, backMs, patienceMs);
    await crowd.lastCall();
    await balanced(world, patienceMs).catch(() => undefined);
    const poolAfterMs = performance.now() - backMs;
    await crowd.goHome();
    const lost = await balanced(world, patienceMs).then(
      () => heldByNobody(world, scenario.part === 'api' ? cutOff(crowd.asked, fromMs, goneMs) : 0),
      (error: unknown) => [describeError(error)],
    );
    const deadLettered = deadTasks(await discrepancies(world.auditTarget)) - deadBefore;
    return {
      scenario,
      ...summed(crowd, fromMs, backMs),
      deadLettered,
      serviceAfterMs,
      poolAfterMs,
      lost,
      seconds: bySecond(crowd, fromMs),
    };
  } finally {
    await crowd[Symbol.asyncDispose]();
  }
}

async function strike(
  world: World,
  { part, kind }: Scenario,
  outageMs: number,
): Promise<{ readonly fromMs: number; readonly goneMs: number; readonly backMs: number }> {
  const fromMs = performance.now();
  const struck = world.part(part);
  if (part === 'discovery' && kind === 'killed') {
    // Started again at once by its supervisor.
    const { pid } = struck;
    await struck.kill();
    await eventually(
      () => {
        if (struck.pid === pid || !struck.tail(60).split(`started ${struck.pid}`).at(-1)?.includes('Discovery answers'))
          throw new Error('discovery was not started again');
      },
      { timeoutMs: 20_000, everyMs: 5 },
    );
    return { fromMs, goneMs: fromMs, backMs: performance.now() };
  }
  let goneMs = fromMs;
  switch (kind) {
    case 'hung':
      await struck.hang();
      await sleep(outageMs);
      world.part(part).goOn();
      return { fromMs, goneMs: fromMs, backMs: performance.now() };
    case 'killed':
      await struck.kill();
      goneMs = performance.now();
      break;
    case 'stopped':
    case 'emptied':
      await struck.stop();
  }
  if (kind === 'emptied') await struck.wipe();
  await sleep(Math.max(0, outageMs - (performance.now() - fromMs)));
  await struck.start();
  return { fromMs, goneMs, backMs: performance.now() };
}

/** When somebody who asked after the part's return was in their app, in ms after it. */
async function served(crowd: Crowd, backMs: number, patienceMs: number): Promise<number> {
  return eventually(
    () => {
      const visit = crowd.visits.find(
        ({ arrivedAtMs, firstGoodAtMs }) => arrivedAtMs >= backMs && firstGoodAtMs !== undefined,
      );
      if (visit?.firstGoodAtMs === undefined)
        throw new Error(
          `nobody was served since the part is back; last asked: ${JSON.stringify(crowd.asked.slice(-2))}`,
        );
      return visit.firstGoodAtMs - backMs;
    },
    { timeoutMs: patienceMs },
  );
}

async function balanced(world: World, patienceMs: number): Promise<void> {
  await eventually(
    async () => {
      const problems = (await discrepanciesSoFar(world.auditTarget)).filter((problem) => !DEAD_TASKS.test(problem));
      if (problems.length > 0)
        throw new Error(`the recorded state is inconsistent: ${problems.slice(0, 8).join('; ')}\n${world.serverLog()}`);
    },
    { timeoutMs: patienceMs, everyMs: 100 },
  );
}

function deadTasks(problems: readonly string[]): number {
  return Number(problems.flatMap((problem) => DEAD_TASKS.exec(problem)?.[1] ?? [])[0] ?? 0);
}

/** Who asked before the server was gone and was cut off by that: it may have had their claim, and could not say so. */
function cutOff(asked: readonly Asked[], fromMs: number, goneMs: number): number {
  return asked.filter(
    ({ outcome, atMs, tookMs }) => outcome === 'unreachable' && atMs <= goneMs && atMs + tookMs >= fromMs,
  ).length;
}

/**
 * Everybody has released what they were given, so whatever is still assigned went to somebody who was told that there
 * is none, beside as many as `may` not have been told. They are given back, or the outages that follow would find them.
 */
async function heldByNobody(world: World, may: number): Promise<string[]> {
  const assigned = (await readRecords(world.auditTarget)).filter(({ state }) => state === 'assigned');
  for (const { id } of assigned) await fetch(`${world.api}/api/v1/demo/${id}`, { method: 'DELETE' });
  return assigned.length <= may ? [] : [`${assigned.length} instances are assigned to visitors who were not told so`];
}

function summed(
  crowd: Crowd,
  fromMs: number,
  backMs: number,
): Pick<
  Outcome,
  | 'asked'
  | 'withoutRetryAfter'
  | 'slowestAnswerMs'
  | 'troubles'
  | 'visitorsTroubled'
  | 'visitorsInApps'
  | 'longestGapMs'
  | 'stranded'
> {
  const during = crowd.asked.filter(({ atMs }) => atMs >= fromMs && atMs <= backMs);
  const inApps = [...crowd.residents, ...crowd.visits.filter(({ arrivedAtMs }) => arrivedAtMs < fromMs)];
  const late = (visit: Visit): Trouble[] => visit.troubles.filter(({ atMs }) => atMs >= fromMs);
  return {
    asked: counted(during.map(({ outcome }) => outcome)),
    withoutRetryAfter: crowd.asked.filter(({ status, retryAfter }) => status === 503 && retryAfter === undefined)
      .length,
    slowestAnswerMs: Math.max(0, ...during.map(({ tookMs }) => tookMs)),
    troubles: counted(inApps.flatMap(late).map(({ what, seen }) => `${what}: ${seen}`)),
    visitorsTroubled: inApps.filter((visit) => late(visit).length > 0).length,
    visitorsInApps: inApps.length,
    longestGapMs: Math.max(0, ...inApps.map(({ longestGapMs }) => longestGapMs)),
    stranded: crowd.residents.filter(({ lastGoodAtMs }) => lastGoodAtMs < backMs).length,
  };
}

function counted(all: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const one of all) counts.set(one, (counts.get(one) ?? 0) + 1);
  return counts;
}

function bySecond(crowd: Crowd, fromMs: number): string[] {
  const second = (atMs: number): number => Math.floor((atMs - fromMs) / 1_000);
  const rows = new Map<number, { asked: Asked[]; troubles: Trouble[] }>();
  const row = (at: number) => {
    const found = rows.get(at) ?? { asked: [], troubles: [] };
    rows.set(at, found);
    return found;
  };
  for (const asked of crowd.asked) row(second(asked.atMs)).asked.push(asked);
  for (const trouble of [...crowd.residents, ...crowd.visits].flatMap(({ troubles }) => troubles))
    row(second(trouble.atMs)).troubles.push(trouble);
  const words = (counts: ReadonlyMap<string, number>): string =>
    [...counts].map(([what, count]) => `${count} ${what}`).join(', ') || '-';
  return [...rows]
    .sort(([a], [b]) => a - b)
    .map(
      ([at, { asked, troubles }]) =>
        `${at} s: asked ${words(counted(asked.map(({ outcome }) => outcome)))}; in apps ` +
        words(counted(troubles.map(({ what, seen }) => `${what} ${seen}`))),
    );
}

/** What is not as it should be, in words; empty: it is. Kinds are compared, never times. */
export function judge(outcome: Outcome): string[] {
  const { scenario, asked, troubles } = outcome;
  const problems = [...outcome.lost];
  if (outcome.deadLettered > 0 && scenario.inApps !== 'lost')
    problems.push(`${outcome.deadLettered} tasks were dead-lettered`);
  for (const [kind, count] of asked)
    if (!scenario.acquirers.includes(kind)) problems.push(`${count} who asked meanwhile saw: ${kind}`);
  if (scenario.told !== undefined && (asked.get(scenario.told) ?? 0) === 0)
    problems.push(`nobody was told ${scenario.told}`);
  if (outcome.withoutRetryAfter > 0) problems.push(`${outcome.withoutRetryAfter} answers 503 had no Retry-After`);
  if (scenario.inApps === 'nothing')
    for (const [what, count] of troubles) problems.push(`visitors in an app noticed: ${what} (${count} times)`);
  if (scenario.inApps !== 'lost' && outcome.stranded > 0)
    problems.push(`${outcome.stranded} visitors were never back in their app`);
  return problems;
}
