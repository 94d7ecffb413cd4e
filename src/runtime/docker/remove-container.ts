import { setTimeout as delay } from 'node:timers/promises';
import type Dockerode from 'dockerode';
import { TryItNowError } from '../../domain/errors.ts';
import { engineAnswer, statusOf } from './engine-errors.ts';

/** Runs one request and turns its failure into ours; the engine's own error is the cause. */
type Call = <T>(what: string, operation: () => Promise<T>) => Promise<T>;

const CHECK_EVERY_MS = 50;
/** Unmounting and network teardown of many at once take seconds; longer than this means the engine is stuck. */
const GIVE_UP_AFTER_MS = 30_000;

/**
 * Kills, removes with its volumes, and looks until the engine no longer knows it. Others removing it at
 * the same time are fine.
 */
export async function removeContainer(container: Dockerode.Container, name: string, call: Call): Promise<void> {
  // Podman's forced removal honours the container's own stop timeout (10 s by default), so the kill comes first.
  await call(`kill ${name}`, () => ignoringAnswers(container.kill({ signal: 'SIGKILL' })));
  const giveUpAt = performance.now() + GIVE_UP_AFTER_MS;
  for (;;) {
    const refusal = await call(`remove ${name}`, () => ignoringAnswers(container.remove({ force: true, v: true })));
    if (await call(`look for ${name}`, () => isAbsent(container))) return;
    if (performance.now() >= giveUpAt) {
      throw new TryItNowError(
        'container_failed',
        `The container ${name} is still there ${GIVE_UP_AFTER_MS} ms after its removal was asked for: ` +
          (refusal ?? 'the engine gave no reason'),
      );
    }
    await delay(CHECK_EVERY_MS);
  }
}

/** What the engine refused, in its own words: gone already, not running, or being removed by somebody else. */
async function ignoringAnswers(request: Promise<unknown>): Promise<string | undefined> {
  try {
    await request;
    return undefined;
  } catch (error) {
    const answer = engineAnswer(error);
    if (answer === undefined) throw error;
    return answer.message;
  }
}

async function isAbsent(container: Dockerode.Container): Promise<boolean> {
  try {
    await container.inspect();
    return false;
  } catch (error) {
    if (statusOf(error) === 404) return true;
    if (statusOf(error) === 500) return false;
    throw error;
  }
}
