import { TryItNowError } from '../domain/errors.ts';
import { isLoopback } from '../domain/failure-facts.ts';
import type { Template } from '../domain/template.ts';
import { eitherOf } from '../lifecycle/either-of.ts';
import { sleep } from '../lifecycle/sleep.ts';
import type { CallDeps, Reach } from './activate.ts';
import type { Sight } from './interfaces/probe.ts';

/** Apps begin with a socket or an answer that they think better of; what lasts so long, lasts. */
const LOOK_MS = 2_000;
const LOOKS = 4;
/** Answers of apps that are not yet what they will be. */
const PASSING: ReadonlySet<number> = new Set([404, 408, 425, 429]);

/**
 * Waits for the app, but not when more waiting would change nothing: it listens for itself alone, or refuses what it
 * is asked. Then not_ready_in_time is thrown, with what was seen in its details. For a person who looks on: a pool has
 * the time to be sure.
 */
export async function unlessSettled(
  deps: CallDeps,
  template: Template,
  reach: Reach,
  wait: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const over = new AbortController();
  using either = eitherOf(signal, over.signal);
  const watch = untilSettled(deps, template, reach, either.signal).then((seen) => {
    if (seen === undefined) return;
    const message = `${reach.container} is up, and will not become ready`;
    over.abort(new TryItNowError('not_ready_in_time', message, { details: { seen } }));
  });
  try {
    await wait(either.signal);
  } finally {
    over.abort();
    await watch;
  }
}

async function untilSettled(
  deps: CallDeps,
  template: Template,
  reach: Reach,
  signal: AbortSignal,
): Promise<Sight | undefined> {
  let before: string | undefined;
  for (let looks = 1; ; looks += 1) {
    await sleep(LOOK_MS, signal);
    if (signal.aborted) return undefined;
    const seen = await finalSight(deps, template, reach, signal).catch(() => undefined);
    const what = seen === undefined ? undefined : JSON.stringify(seen);
    if (what === undefined || what !== before) looks = 1;
    before = what;
    if (looks >= LOOKS) return seen;
  }
}

/** What would not change by itself; undefined for all else. */
async function finalSight(
  { runtime, probe }: CallDeps,
  { readiness, port }: Template,
  reach: Reach,
  signal: AbortSignal,
): Promise<Sight | undefined> {
  const here = (await runtime.inside(reach.container))?.listening?.filter((socket) => socket.port === port) ?? [];
  if (here.length === 0) return undefined;
  if (here.every(({ address }) => isLoopback(address))) return { kind: 'refused' };
  if (readiness.kind !== 'http') return undefined;
  const { path, statuses, host, requestTimeoutMs: timeoutMs } = readiness;
  const target = { url: `${reach.origin}${path}`, visitor: reach.visitor, statuses, host, timeoutMs };
  const { ok, seen } = await probe.look(target, signal);
  const refuses =
    seen.kind === 'circles' ||
    seen.kind === 'tls' ||
    (seen.kind === 'answered' && seen.status >= 400 && seen.status < 500 && !PASSING.has(seen.status));
  return refuses && !ok ? seen : undefined;
}
