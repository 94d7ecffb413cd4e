import type { Static } from 'typebox';
import { TryItNowError } from '../../domain/errors.ts';
import { JobsBody, type JobBody } from '../../http/admin/job-routes.ts';
import { sleep } from '../../lifecycle/sleep.ts';
import type { AdminClient } from '../admin-client.ts';
import { stripControlCharacters } from './text.ts';

type Job = Static<typeof JobBody>;

const LOOK_EVERY_MS = 500;
/** It goes on while a look at it fails, as over a connection that breaks off. */
const UNSEEN_MS = 30_000;

/**
 * Shows on standard error how far it is, until it has ended. Throws admin_unavailable where none answers for long, and
 * where the server that answers knows nothing of it: it was restarted, or is another one.
 */
export async function followJob(client: AdminClient, begun: Job): Promise<Job> {
  let [shown, seenAtMs] = [begun.said, performance.now()];
  for (;;) {
    const jobs = await jobsNow(client, performance.now() - seenAtMs < UNSEEN_MS);
    if (jobs === undefined) {
      await sleep(LOOK_EVERY_MS);
      continue;
    }
    seenAtMs = performance.now();
    const job = jobs.find(({ id, started_at: at }) => id === begun.id && at === begun.started_at);
    if (job === undefined)
      throw new TryItNowError(
        'admin_unavailable',
        `The server that answers at ${client.url} knows nothing of what was begun: it was restarted, which ends it, ` +
          'or a load balancer leads to another one. The dashboard shows what goes on in each, and ' +
          '`try-it-now audit` has its end',
      );
    if (job.state !== 'running') return job;
    if (job.said !== shown) process.stderr.write(`${stripControlCharacters(job.said)}\n`);
    shown = job.said;
    await sleep(LOOK_EVERY_MS);
  }
}

/** Undefined where no server answers and `mayFail`. */
async function jobsNow(client: AdminClient, mayFail: boolean): Promise<readonly Job[] | undefined> {
  try {
    return (await client.ask(JobsBody, 'GET', '/jobs')).jobs;
  } catch (error) {
    if (mayFail && error instanceof TryItNowError && error.code === 'admin_unavailable') return undefined;
    throw error;
  }
}
