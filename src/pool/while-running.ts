import { TryItNowError } from '../domain/errors.ts';
import { eitherOf } from '../lifecycle/either-of.ts';
import { sleep } from '../lifecycle/sleep.ts';
import type { ContainerEnds } from './container-ends.ts';
import type { ContainerCondition, ContainerRuntime } from './interfaces/container-runtime.ts';

export interface WhileRunningDeps {
  readonly runtime: Pick<ContainerRuntime, 'inspect'>;
  readonly containerEnds: ContainerEnds;
}

/** The engine's events tell at once; this is for those that were missed. The end of an app is noticed within 2 s. */
const LOOK_MS = 1_500;

/** Does the work until the container ends: then it stops, and container_exited is thrown. */
export async function whileRunning<T>(
  deps: WhileRunningDeps,
  container: string,
  work: (signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const over = new AbortController();
  using either = eitherOf(signal, over.signal);
  const watch = untilEnded(deps, container, either.signal).then((end) => {
    if (end === undefined) return;
    over.abort(
      new TryItNowError('container_exited', `The container ${container} ended with exit code ${end.exitCode}`),
    );
  });
  try {
    return await work(either.signal);
  } catch (error) {
    // A request that was cut off by the end may be told of before the end is.
    if (!signal.aborted && !over.signal.aborted && (await ended(deps, container)) !== undefined)
      over.abort(new TryItNowError('container_exited', `The container ${container} ended`));
    signal.throwIfAborted();
    over.signal.throwIfAborted();
    throw error;
  } finally {
    over.abort();
    await watch;
  }
}

type End = ContainerCondition & { readonly running: false };

async function untilEnded(deps: WhileRunningDeps, container: string, signal: AbortSignal): Promise<End | undefined> {
  for (;;) {
    const wake = new AbortController();
    using either = eitherOf(signal, wake.signal);
    await Promise.race([deps.containerEnds.next(container, either.signal), sleep(LOOK_MS, either.signal)]);
    wake.abort();
    if (signal.aborted) return undefined;
    const end = await ended(deps, container);
    if (end !== undefined) return end;
  }
}

/** Undefined also where the engine does not tell: what else it is asked for will say so. */
async function ended({ runtime }: WhileRunningDeps, container: string): Promise<End | undefined> {
  const condition = await runtime.inspect(container).catch(() => undefined);
  return condition?.running === false ? condition : undefined;
}
