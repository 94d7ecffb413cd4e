import type { Clock } from '../domain/clock.ts';
import { TryItNowError, describeError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import type { Diagnosed, OperatorJob } from '../domain/operator-job.ts';
import type { AuditLog } from './interfaces/audit-log.ts';
import type { Observer } from './interfaces/observer.ts';

/** The newest of those that have ended, for who looks in later. */
const KEPT = 20;

type Work = (onStep: (step: string) => void, signal: AbortSignal) => Promise<string>;

/** What operators began here, for whoever tells the other servers. It changes as time goes by. */
export class OperatorActivity {
  /** The newest first. */
  jobs: readonly OperatorJob[] = [];
  /** What doctor found the last time. */
  diagnosed: Diagnosed | undefined;
}

export interface OperatorJobsDeps {
  readonly activity: OperatorActivity;
  readonly audit: AuditLog;
  readonly observer: Pick<Observer, 'jobBegan' | 'jobEnded'>;
  /** Tells the other servers at once; they hear of it within seconds all the same. */
  readonly announceProcess: () => Promise<void>;
  readonly log: Log;
  readonly clock: Clock;
}

/** Long work that operators begin: it outlives the request, and ends in the audit log. One of a kind goes at a time. */
export class OperatorJobs {
  readonly #deps: OperatorJobsDeps;
  readonly #stopped = new AbortController();
  readonly #running = new Set<Promise<void>>();
  #last = 0;

  constructor(deps: OperatorJobsDeps) {
    this.#deps = deps;
  }

  /** The newest first. */
  list(): readonly OperatorJob[] {
    return this.#deps.activity.jobs;
  }

  /** `kind`: what cannot go on twice at a time begins alike. Throws job_running. */
  begin(what: Pick<OperatorJob, 'action' | 'on' | 'who'>, work: Work): OperatorJob {
    const kind = what.action.split('.')[0];
    const { activity, clock, observer } = this.#deps;
    const other = activity.jobs.find(({ action, state }) => state === 'running' && action.split('.')[0] === kind);
    if (other !== undefined)
      throw new TryItNowError(
        'job_running',
        `${other.action} of ${other.on}, which ${other.who} began, is still going on here; nothing was begun`,
      );
    this.#last += 1;
    const job: OperatorJob = {
      ...what,
      id: this.#last,
      startedAtMs: clock.now(),
      endedAtMs: undefined,
      state: 'running',
      said: 'begins',
    };
    activity.jobs = [job, ...activity.jobs].slice(0, KEPT);
    observer.jobBegan(job.action);
    this.#tell();
    const running = this.#run(job, work).finally(() => this.#running.delete(running));
    this.#running.add(running);
    return job;
  }

  /** Ends what goes on, in good order. */
  async stop(): Promise<void> {
    this.#stopped.abort(new TryItNowError('shutting_down', 'The server is shutting down; what was started is removed'));
    await Promise.all(this.#running);
  }

  async #run(job: OperatorJob, work: Work): Promise<void> {
    const { audit, clock, log, observer } = this.#deps;
    let outcome = 'done';
    try {
      const said = await work((step) => this.#change(job, { said: step }), this.#stopped.signal);
      this.#change(job, { state: 'done', endedAtMs: clock.now(), said });
      observer.jobEnded(job.action, 'done');
    } catch (error) {
      outcome = error instanceof TryItNowError ? error.code : 'internal_error';
      const said = describeError(error);
      this.#change(job, { state: 'failed', endedAtMs: clock.now(), said });
      observer.jobEnded(job.action, 'failed');
      log.warn({ action: job.action, on: job.on, code: outcome, reason: said }, 'What an operator began failed');
    }
    this.#tell();
    const { who, action, on } = job;
    log.info({ audit: true, who, action, on, outcome }, 'Operator action ended');
    await audit
      .record({ who, action, on, outcome }, 'operator')
      .catch((error: unknown) =>
        log.error({ audit: true, reason: describeError(error) }, 'The audit log could not be written'),
      );
  }

  #tell(): void {
    const { announceProcess, log } = this.#deps;
    announceProcess().catch((error: unknown) =>
      log.debug({ reason: describeError(error) }, 'The other servers are told later what operators began here'),
    );
  }

  #change({ id }: OperatorJob, change: Partial<OperatorJob>): void {
    const { activity } = this.#deps;
    activity.jobs = activity.jobs.map((job) => (job.id === id ? { ...job, ...change } : job));
  }
}
