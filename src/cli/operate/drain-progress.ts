import ora from 'ora';
import type { Static } from 'typebox';
import { TryItNowError } from '../../domain/errors.ts';
import { PoolsBody, type PoolBody } from '../../http/admin/schemas.ts';
import { sleep } from '../../lifecycle/sleep.ts';
import type { AdminClient } from '../admin-client.ts';

type Pool = Static<typeof PoolBody>;

const LOOK_EVERY_MS = 1_000;
/** As shells have it for a command that SIGINT ended. */
const EXIT_INTERRUPTED = 130;

/**
 * Shows on standard error how many are left until these pools are empty. A signal ends the waiting and not the drain.
 * Throws conflicting_change when somebody ends the drain meanwhile; a server that is being restarted is waited for.
 */
export async function waitUntilEmpty(client: AdminClient, names: readonly string[]): Promise<readonly Pool[]> {
  const { isTTY, columns } = process.stderr;
  const screen = ora({ stream: process.stderr, discardStdin: false, isEnabled: isTTY && columns > 0 });
  const stopped = new AbortController();
  const stop = (): void => stopped.abort();
  // Not `once`: the spinner ends the process itself at a signal that nobody else listens to any more.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop);
  let shown = '';
  const say = (text: string): void => {
    if (text !== shown && !screen.isEnabled) process.stderr.write(`${text}\n`);
    shown = text;
    screen.text = text;
  };
  screen.start('Draining');
  try {
    for (let pools: readonly Pool[] = []; ;) {
      try {
        pools = (await client.ask(PoolsBody, 'GET', '/pools')).pools.filter(({ template }) => names.includes(template));
        requireDrain(pools);
        if (pools.every(isEmpty)) {
          screen.succeed('Drained: nobody is left');
          return pools;
        }
        say(progress(pools));
      } catch (error) {
        if (!(error instanceof TryItNowError && error.code === 'admin_unavailable')) throw error;
        say('The server does not answer right now; the drain holds, still waiting');
      }
      await sleep(LOOK_EVERY_MS, stopped.signal);
      if (stopped.signal.aborted) {
        screen.info(
          'Waiting no longer; the drain goes on. To end it: try-it-now pool resume ' +
            (names.length === 1 ? (names[0] ?? '') : '--all'),
        );
        process.exitCode = EXIT_INTERRUPTED;
        return pools;
      }
    }
  } finally {
    screen.stop();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, stop);
  }
}

function isEmpty({ ready, assigned, warming }: Pool): boolean {
  return ready + assigned + warming === 0;
}

function requireDrain(pools: readonly Pool[]): void {
  const ended = pools.filter(({ mode }) => mode !== 'draining').map(({ template }) => template);
  if (ended.length > 0)
    throw new TryItNowError(
      'conflicting_change',
      `Somebody else ended the drain of ${ended.join(', ')}; try-it-now audit tells who`,
    );
}

function progress(pools: readonly Pool[]): string {
  return `Draining: ${pools
    .filter((pool) => !isEmpty(pool))
    .map(
      ({ template, assigned, ready, warming }) => `${template} has ${assigned} with visitors, ${ready + warming} idle`,
    )
    .join('; ')}`;
}
