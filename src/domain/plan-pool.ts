/**
 * How large a pool has to be, from how many come, how long they stay and how long a start takes.
 *
 * What stands ready is base stock (src/domain/stock-for.ts). How many may exist is a matter of those who hold one:
 * Erlang's formulas (A. K. Erlang, "Solution of some problems in the theory of probabilities of significance in
 * automatic telephone exchanges", 1917) with the offered load a = clicks per time × stay. B is the share that finds
 * all taken and leaves, whatever the distribution of stays; C the share that waits where all do, for stays that vary
 * as exponential ones, which is more than they do where most end at their time.
 */
import { poissonAtMost } from './poisson.ts';

export interface PlanInput {
  readonly clicksPerMs: number;
  readonly stayMs: number;
  readonly startMs: number;
  readonly cover: number;
  /** Undefined: what it takes for one in a hundred to find all taken. */
  readonly most: number | undefined;
}

interface StockOdds {
  readonly ready: number;
  /** The share of clicks that finds one ready. */
  readonly served: number;
  /** Of those who find none, on average. */
  readonly waitMs: number;
}

export interface PoolPlan {
  /** Held by visitors on average: Erlang's offered load. */
  readonly held: number;
  /** What was asked for, between one less and one more. */
  readonly stock: readonly StockOdds[];
  readonly ready: number;
  readonly max: number;
  /** Of `max` without those that stand ready: nothing is left where it is no more than these. */
  readonly visits: number;
  /** The share of clicks that finds all of that held, if who does leaves (B). */
  readonly allHeld: number;
  /** And if who does waits (C), for how long on average; undefined: the line grows without end. */
  readonly waiting: { readonly share: number; readonly waitMs: number } | undefined;
}

const MOST = 10_000;
const FULL_SHARE = 0.01;

export function planPool({ clicksPerMs, stayMs, startMs, cover, most }: PlanInput): PoolPlan {
  const [held, underWay] = [clicksPerMs * stayMs, clicksPerMs * startMs];
  const ready = first((stock) => poissonAtMost(stock - 1, underWay) >= cover);
  const visits =
    most === undefined ? first((places) => erlangB(places, held) <= FULL_SHARE) : Math.max(0, most - ready);
  const stock = [ready - 1, ready, ready + 1].filter((each) => each > 0);
  const waitingShare = erlangC(visits, held);
  return {
    ...{ held, ready, visits, max: most ?? visits + ready, allHeld: erlangB(visits, held) },
    stock: stock.map((each) => oddsOf(each, underWay, startMs)),
    waiting: waitingShare === undefined ? undefined : { share: waitingShare, waitMs: stayMs / (visits - held) },
  };
}

function first(does: (count: number) => boolean): number {
  let count = 1;
  while (count < MOST && !does(count)) count += 1;
  return count;
}

/** By Little's law: those who wait on average, per click and time. */
function oddsOf(ready: number, underWay: number, startMs: number): StockOdds {
  const served = poissonAtMost(ready - 1, underWay);
  let backlog = underWay - ready;
  for (let onOrder = 0; onOrder < ready; onOrder += 1)
    backlog += (ready - onOrder) * (poissonAtMost(onOrder, underWay) - poissonAtMost(onOrder - 1, underWay));
  const each = underWay === 0 ? 0 : (Math.max(0, backlog) * startMs) / underWay;
  return { ready, served, waitMs: served >= 1 ? 0 : each / (1 - served) };
}

export function erlangB(places: number, load: number): number {
  let blocked = 1;
  for (let count = 1; count <= places; count += 1) blocked = (load * blocked) / (count + load * blocked);
  return blocked;
}

/** Undefined where more come than leave. */
export function erlangC(places: number, load: number): number | undefined {
  if (load >= places) return undefined;
  const blocked = erlangB(places, load);
  return blocked / (1 - (load / places) * (1 - blocked));
}
