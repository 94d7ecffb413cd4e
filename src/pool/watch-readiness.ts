import type { Clock } from '../domain/clock.ts';
import { explainUnready, type Explanation } from '../domain/explain-failure.ts';
import { isAnswer, type LastSeen } from '../domain/failure-facts.ts';
import type { FailureReport } from '../domain/failure-report.ts';
import type { Log } from '../domain/log.ts';
import { eitherOf } from '../lifecycle/either-of.ts';
import { sleep } from '../lifecycle/sleep.ts';
import { OUTPUT_LINES, printable, reportFor, type DiagnosedAttempt } from './diagnose.ts';
import type { ContainerRuntime } from './interfaces/container-runtime.ts';
import type { FailureLog } from './interfaces/failure-log.ts';

export interface WatchReadinessDeps {
  readonly runtime: Pick<ContainerRuntime, 'inside' | 'logs'>;
  readonly failureLog: Pick<FailureLog, 'noteUnready' | 'forgetUnready'>;
  readonly clock: Clock;
  readonly log: Log;
}

export type Waiting = Omit<DiagnosedAttempt, 'atMs'>;

/** What two looks in a row find is told: what an app does only while it starts has mostly passed by then. */
const LOOK_MS = 1_500;

/**
 * Waits for an app by `work`, and says meanwhile what keeps it from being ready, once it shows: in the log, and for
 * doctor and `pool failures`. It never ends the wait: some apps answer 401 or listen elsewhere for a while, and the
 * template's readiness.timeout says how long they may.
 */
export async function watchReadiness(
  deps: WatchReadinessDeps,
  attempt: Waiting,
  work: (onSeen: (seen: LastSeen) => void) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const over = new AbortController();
  using either = eitherOf(signal, over.signal);
  let seen: LastSeen | undefined;
  const watch = tellWhatShows(deps, attempt, () => seen, either.signal);
  try {
    await work((sight) => {
      seen = sight;
    });
  } finally {
    over.abort();
    await watch;
  }
}

async function tellWhatShows(
  deps: WatchReadinessDeps,
  attempt: Waiting,
  seen: () => LastSeen | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { failureLog } = deps;
  const { template } = attempt;
  let before: string | undefined;
  let told: FailureReport | undefined;
  for (;;) {
    await sleep(LOOK_MS, signal);
    const found = signal.aborted ? undefined : await unready(deps, attempt, seen());
    if (signal.aborted) break;
    if (found !== undefined && found.reason === before) {
      if (told?.reason !== found.reason) told = await tell(deps, { ...attempt, atMs: deps.clock.now() }, found);
      await failureLog.noteUnready(told).catch(() => undefined);
    }
    before = found?.reason;
  }
  if (told !== undefined) await failureLog.forgetUnready(template.name).catch(() => undefined);
}

async function unready(
  { runtime }: WatchReadinessDeps,
  { template, container }: Waiting,
  seen: LastSeen | undefined,
): Promise<Explanation | undefined> {
  // An answer tells enough; the engine is asked about an app that gives none.
  const inside = isAnswer(seen) ? undefined : await runtime.inside(container).catch(() => undefined);
  return explainUnready({ template, oomKills: inside?.oomKills ?? 0, listening: inside?.listening, seen });
}

async function tell(
  { runtime, log }: WatchReadinessDeps,
  attempt: DiagnosedAttempt,
  found: Explanation,
): Promise<FailureReport> {
  const { template, instance, container } = attempt;
  const { reason, remedy } = found;
  log.info(
    { instance, template: template.name, reason: `${reason}. ${remedy}`, timeoutMs: template.readiness.timeoutMs },
    'Instance is not ready so far',
  );
  const output = printable(await runtime.logs(container, OUTPUT_LINES).catch(() => ''));
  return reportFor(attempt, found, { output });
}
