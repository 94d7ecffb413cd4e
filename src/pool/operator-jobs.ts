import type { Clock } from '../domain/clock.ts';
import { TryItNowError, describeError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import type { OperatorJob } from '../domain/operator-job.ts';
import type { AuditLog } from './interfaces/audit-log.ts';

/** The newest of those that have ended, for who looks in later. */
const KEPT = 20;

type Work = (onStep: (step: string) => void, signal: AbortSignal) => Promise<string>;

/** Long work that operators begin: it outlives the request, and ends in the audit log. One of a kind goes at a time. */
export class OperatorJobs {
  readonly #audit: AuditLog;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #stopped = new AbortController();
  readonly #running = new Set<Promise<void>>();
  #jobs: readonly OperatorJob[] = [];
  #last = 0;

  constructor(audit: AuditLog, log: Log, clock: Clock) {
    this.#audit = audit;
    this.#log = log;
    this.#clock = clock;
  }

  /** The newest first. */
  list(): readonly OperatorJob[] {
    return this.#jobs;
  }

  /** `kind`: what cannot go on twice at a time begins alike. Throws job_running. */
  begin(what: Pick<OperatorJob, 'action' | 'on' | 'who'>, work: Work): OperatorJob {
    const kind = what.action.split('.')[0];
    const other = this.#jobs.find(({ action, state }) => state === 'running' && action.split('.')[0] === kind);
    if (other !== undefined)
      throw new TryItNowError(
        'job_running',
        `${other.action} of ${other.on}, which ${other.who} began, is still going on here; nothing was begun`,
      );
    this.#last += 1;
    const job: OperatorJob = {
      ...what,
      id: this.#last,
      startedAtMs: this.#clock.now(),
      endedAtMs: undefined,
      state: 'running',
      said: 'begins',
    };
    this.#jobs = [job, ...this.#jobs].slice(0, KEPT);
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
    let outcome = 'done';
    try {
      const said = await work((step) => this.#change(job, { said: step }), this.#stopped.signal);
      this.#change(job, { state: 'done', endedAtMs: this.#clock.now(), said });
    } catch (error) {
      outcome = error instanceof TryItNowError ? error.code : 'internal_error';
      const said = describeError(error);
      this.#change(job, { state: 'failed', endedAtMs: this.#clock.now(), said });
      this.#log.warn({ action: job.action, on: job.on, code: outcome, reason: said }, 'What an operator began failed');
    }
    const { who, action, on } = job;
    this.#log.info({ audit: true, who, action, on, outcome }, 'Operator action ended');
    await this.#audit
      .record({ who, action, on, outcome })
      .catch((error: unknown) =>
        this.#log.error({ audit: true, reason: describeError(error) }, 'The audit log could not be written'),
      );
  }

  #change({ id }: OperatorJob, change: Partial<OperatorJob>): void {
    this.#jobs = this.#jobs.map((job) => (job.id === id ? { ...job, ...change } : job));
  }
}
