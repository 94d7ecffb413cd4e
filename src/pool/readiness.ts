import { TryItNowError, describeError } from '../domain/errors.ts';
import { describeCheck, type AppCheck, type Health, type Readiness } from '../domain/readiness.ts';
import type { Template } from '../domain/template.ts';
import { sleep } from '../lifecycle/sleep.ts';
import type { CallDeps, Reach } from './activate.ts';
import type { HttpTarget, Sight } from './interfaces/probe.ts';

/** A command costs an engine much more than a request costs an app. */
const POLL_MS = { tcp: 100, exec: 500 };

/** How the template's instances are looked after once they are activated. */
export function healthOf({ health, readiness }: Template): Health {
  return health ?? readiness;
}

/**
 * Polls until the check passes. Throws not_ready_in_time; what was seen last is in its details, and told of meanwhile.
 */
export async function untilReady(
  deps: CallDeps,
  readiness: Readiness,
  reach: Reach,
  timeoutMs: number,
  signal: AbortSignal,
  onSeen?: (seen: Sight) => void,
): Promise<void> {
  if (readiness.kind === 'http') {
    const { requestTimeoutMs, intervalMs } = readiness;
    const target = { ...httpTarget(readiness, reach), timeoutMs, requestTimeoutMs, intervalMs, onSeen };
    await deps.probe.untilOk(target, signal);
    return;
  }
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const failure = await failureOf(deps, readiness, reach, signal);
    signal.throwIfAborted();
    if (failure === undefined) return;
    if (performance.now() >= deadline)
      throw new TryItNowError(
        'not_ready_in_time',
        `${reach.container} did not pass ${describeCheck(readiness)} within ${timeoutMs} ms; last seen: ${failure}`,
        { details: { seen: { kind: 'broken', words: failure } } },
      );
    const pause = readiness.intervalMs ?? POLL_MS[readiness.kind];
    await sleep(Math.max(0, Math.min(pause, deadline - performance.now())), signal);
  }
}

/** One look. Undefined when the check passes, otherwise what was seen. */
export async function failureOf(
  { runtime, probe }: CallDeps,
  check: Health,
  reach: Reach,
  signal: AbortSignal,
): Promise<string | undefined> {
  const timeoutMs = check.requestTimeoutMs;
  switch (check.kind) {
    case 'http': {
      const { ok, seen } = await probe.look({ ...httpTarget(check, reach), timeoutMs }, signal);
      return ok ? undefined : probe.describe(seen);
    }
    case 'tcp': {
      const seen = await probe.listens({ ...reach.upstream, engine: runtime.engine }, timeoutMs);
      return seen === 'listens' ? undefined : `its port ${seen === 'refuses' ? 'refuses connections' : 'is silent'}`;
    }
    case 'exec':
      return commandFailure({ runtime }, check.command, { reach, timeoutMs }, signal);
  }
}

async function commandFailure(
  { runtime }: Pick<CallDeps, 'runtime'>,
  command: readonly string[],
  { reach, timeoutMs }: { readonly reach: Reach; readonly timeoutMs: number },
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const { exitCode, output } = await runtime.exec(reach.container, { command, env: {}, timeoutMs }, signal);
    return exitCode === 0 ? undefined : `exit code ${exitCode}${output.trim() === '' ? '' : `: ${output.trim()}`}`;
  } catch (error) {
    signal.throwIfAborted();
    return describeError(error);
  }
}

function httpTarget({ path, statuses, host }: AppCheck & { readonly kind: 'http' }, reach: Reach): HttpTarget {
  return { url: `${reach.origin}${path}`, visitor: reach.visitor, statuses, host };
}
