import { describe, expect, it } from 'vitest';
import { pino } from 'pino';
import { TryItNowError } from '../domain/errors.ts';
import { FailureLog } from './failures.ts';

function record(): {
  readonly log: FailureLog;
  readonly lines: Record<string, unknown>[];
  readonly clock: { nowMs: number };
} {
  const lines: Record<string, unknown>[] = [];
  const clock = { nowMs: 0 };
  const sink = pino(
    { level: 'info' },
    { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  );
  return { log: new FailureLog(sink, () => clock.nowMs), lines, clock };
}
const request = { id: 'r1', method: 'POST', url: '/x' };

describe('FailureLog', () => {
  it('writes every unforeseen failure, with its cause', () => {
    const { log, lines } = record();
    for (let i = 0; i < 3; i += 1)
      log.record(new TryItNowError('internal_error', 'unforeseen', { cause: new Error('deep down') }), request);
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatchObject({
      requestId: 'r1',
      code: 'internal_error',
      err: { message: 'deep down' },
      msg: 'Request failed unexpectedly',
    });
  });

  it('writes a known failure once a second and then says how many were like it', () => {
    const { log, lines, clock } = record();
    for (let i = 0; i < 500; i += 1) log.record(new TryItNowError('store_unavailable', 'down'), request);
    clock.nowMs = 1_000;
    log.record(new TryItNowError('store_unavailable', 'down'), request);
    expect(lines.map((line) => line['alikeSinceLastLine'])).toEqual([0, 499]);
  });

  it.each(['pool_empty', 'shutting_down', 'hourly_limit', 'invalid_request'] as const)(
    'keeps %s out of the log at info',
    (code) => {
      const { log, lines } = record();
      log.record(new TryItNowError(code, 'everyday'), request);
      expect(lines).toEqual([]);
    },
  );
});
