import { describeError } from '../domain/errors.ts';
import { backoffMs } from '../lifecycle/backoff.ts';
import { sleep } from '../lifecycle/sleep.ts';
import type { ChildServer } from './child-server.ts';

export interface SupervisorEvents {
  /** The part ended without being told to. */
  readonly onLost: (name: string, how: string) => void;
  readonly onRestored: (name: string) => void;
}

/** A part that ran this long had no trouble starting; one that ends sooner is started again with a growing pause. */
const SETTLED_MS = 10_000;

/** Starts a part and keeps it running: whenever it ends by itself it is started again, with backoff, until stopped. */
export async function supervise<T extends { readonly server: ChildServer }>(
  name: string,
  launch: () => Promise<T>,
  events: SupervisorEvents,
): Promise<{ readonly first: T; readonly stop: () => Promise<void> }> {
  const abort = new AbortController();
  const stopped = (): boolean => abort.signal.aborted;
  const first = await launch();
  let { server }: { readonly server: ChildServer } = first;

  const watch = async (): Promise<void> => {
    let failures = 0;
    let startedAt = performance.now();
    while (!stopped()) {
      const how = await server.exited;
      if (stopped()) return;
      failures = performance.now() - startedAt > SETTLED_MS ? 0 : failures + 1;
      events.onLost(name, `${how}\n${server.tail(5)}`);
      for (let up = false; !up && !stopped();) {
        if (failures > 0) await sleep(backoffMs(failures, { baseMs: 200, maxMs: 10_000 }), abort.signal);
        if (stopped()) return;
        startedAt = performance.now();
        try {
          ({ server } = await launch());
          up = true;
        } catch (error) {
          failures += 1;
          if (failures === 1) events.onLost(name, describeError(error));
        }
      }
      if (stopped()) await server.stop();
      else events.onRestored(name);
    }
  };
  const watching = watch();
  return {
    first,
    stop: async () => {
      abort.abort();
      await server.stop();
      await watching;
    },
  };
}
