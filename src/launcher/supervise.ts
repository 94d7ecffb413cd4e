import { describeError } from '../domain/errors.ts';
import { backoffMs } from '../lifecycle/backoff.ts';
import { sleep } from '../lifecycle/sleep.ts';
import type { ChildServer } from './child-server.ts';

export interface SupervisorEvents {
  /** The part ended without being told to. */
  readonly onLost: (name: string, how: string) => void;
  readonly onRestored: (name: string) => void;
}

/** Starts a part and keeps it running: whenever it ends by itself it is started again, with backoff, until stopped. */
export async function supervise(
  name: string,
  launch: () => Promise<{ readonly server: ChildServer }>,
  events: SupervisorEvents,
): Promise<{ readonly stop: () => Promise<void> }> {
  const abort = new AbortController();
  const stopped = (): boolean => abort.signal.aborted;
  let { server } = await launch();

  const watch = async (): Promise<void> => {
    let attempt = 0;
    for (;;) {
      const how = await server.exited;
      if (stopped()) return;
      events.onLost(name, `${how}\n${server.tail(5)}`);
      for (let up = false; !up && !stopped();) {
        try {
          ({ server } = await launch());
          up = true;
          attempt = 0;
          events.onRestored(name);
        } catch (error) {
          attempt += 1;
          if (attempt === 1) events.onLost(name, describeError(error));
          await sleep(backoffMs(attempt, { baseMs: 100, maxMs: 10_000 }), abort.signal);
        }
      }
      if (stopped()) {
        await server.stop();
        return;
      }
    }
  };
  const watching = watch();
  return {
    stop: async () => {
      abort.abort();
      await server.stop();
      await watching;
    },
  };
}
