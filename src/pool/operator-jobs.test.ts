import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { TryItNowError } from '../domain/errors.ts';
import type { AuditEntry } from './interfaces/audit-log.ts';
import { OperatorActivity, OperatorJobs } from './operator-jobs.ts';

const ON_TINY = { action: 'checkpoint.create', on: 'tiny', who: 'key:1' } as const;

function jobsWith() {
  const kept: Omit<AuditEntry, 'atMs'>[] = [];
  const audit = {
    record: (entry: Omit<AuditEntry, 'atMs'>) => Promise.resolve(void kept.push(entry)),
    recent: () => Promise.resolve([]),
  };
  const counted: string[] = [];
  const jobs = new OperatorJobs({
    activity: new OperatorActivity(),
    audit,
    observer: {
      jobBegan: (action) => counted.push(`${action} began`),
      jobEnded: (action, outcome) => counted.push(`${action} ${outcome}`),
    },
    announceProcess: () => Promise.resolve(),
    log: pino({ level: 'silent' }),
    clock: { now: () => 7 },
  });
  return { kept, counted, jobs };
}

/** Work that goes on until it is told how it ends. */
function work() {
  let end: (said: string) => void = () => undefined;
  let fail: (error: unknown) => void = () => undefined;
  const ended = new Promise<string>((resolve, reject) => {
    end = resolve;
    fail = reject;
  });
  return { ended, end, fail };
}

describe('what an operator began', () => {
  it('tells the step it is at, and at its end what came of it', async () => {
    const { jobs, kept } = jobsWith();
    const { ended, end } = work();
    jobs.begin(ON_TINY, (onStep) => {
      onStep('dumping');
      return ended;
    });
    expect(jobs.list()).toMatchObject([{ ...ON_TINY, state: 'running', said: 'dumping', endedAtMs: undefined }]);
    expect(kept).toEqual([]);
    end('made');
    await jobs.stop();
    expect(jobs.list()).toMatchObject([{ state: 'done', said: 'made', endedAtMs: 7 }]);
    expect(kept).toEqual([{ ...ON_TINY, outcome: 'done' }]);
  });

  it('says why it failed, and keeps the code', async () => {
    const { jobs, kept, counted } = jobsWith();
    jobs.begin(ON_TINY, () => Promise.reject(new TryItNowError('checkpoint_failed', 'No room')));
    await jobs.stop();
    expect(jobs.list()).toMatchObject([{ state: 'failed', said: 'No room' }]);
    expect(counted).toEqual(['checkpoint.create began', 'checkpoint.create failed']);
    expect(kept).toEqual([{ ...ON_TINY, outcome: 'checkpoint_failed' }]);
  });

  it('goes on once at a time, beside what is of another kind', async () => {
    const { jobs } = jobsWith();
    const { ended, end } = work();
    jobs.begin(ON_TINY, () => ended);
    expect(() => jobs.begin({ ...ON_TINY, action: 'checkpoint.promote' }, () => ended)).toThrow(
      expect.objectContaining({ code: 'job_running' }),
    );
    jobs.begin({ action: 'doctor.run', on: 'all', who: 'key:2' }, () => ended);
    end('made');
    await jobs.stop();
    expect(jobs.list().map(({ state }) => state)).toEqual(['done', 'done']);
  });

  it('is told to stop when the server does', async () => {
    const { jobs } = jobsWith();
    jobs.begin(
      ON_TINY,
      (_onStep, signal) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
    );
    await jobs.stop();
    expect(jobs.list()).toMatchObject([{ state: 'failed' }]);
  });

  it('is remembered for the newest twenty', async () => {
    const { jobs } = jobsWith();
    for (let at = 0; at < 25; at += 1) {
      jobs.begin({ ...ON_TINY, on: String(at) }, () => Promise.resolve('made'));
      await jobs.stop();
    }
    expect(jobs.list().map(({ on }) => on)).toEqual(Array.from({ length: 20 }, (_, at) => String(24 - at)));
  });
});
