import { expect, it } from 'vitest';
import { TryItNowError, type ErrorCode } from '../../domain/errors.ts';
import { createLogger } from '../../telemetry/logger.ts';
import { Metrics } from '../../telemetry/metrics.ts';
import { RefusedCalls } from './refused-calls.ts';

const CODES = [
  ...['key_missing', 'key_wrong', 'operator_key_unset', 'too_many_refusals'],
  ...['login_refused', 'login_without_role', 'login_provider_unavailable', 'role_too_low'],
] as const satisfies readonly ErrorCode[];
const wrong = new TryItNowError('key_wrong', 'not one of ours');

it('counts each, tells of them once a minute, and has many come later', () => {
  const lines: string[] = [];
  const counted: ErrorCode[] = [];
  let now = 0;
  const calls = new RefusedCalls(
    createLogger('info', { write: (line: string) => void lines.push(line) }),
    { refusedOperator: (code) => void counted.push(code) },
    () => now,
  );
  const answers = Array.from({ length: 1_000 }, () => calls.note(wrong, '127.0.0.1'));
  expect(answers[299]).toBe(wrong);
  expect(answers[300]).toMatchObject({ code: 'too_many_refusals', status: 429, retryAfterMs: 60_000 });
  expect(counted).toHaveLength(1_000);
  expect(counted.filter((code) => code === 'too_many_refusals')).toHaveLength(700);
  expect(lines).toHaveLength(1);

  now = 60_000;
  expect(calls.note(wrong, '127.0.0.1')).toBe(wrong);
  expect(lines).toHaveLength(2);
  expect(JSON.parse(lines[1] ?? '')).toMatchObject({ alikeSinceLastLine: 999, code: 'key_wrong' });
});

it('is counted from zero, whatever the answer, so that the first one shows in a rate', async () => {
  const metrics = new Metrics({ templates: [], version: '1' });
  const calls = new RefusedCalls(createLogger('fatal', { write: () => undefined }), metrics);
  for (const count of [0, 1]) {
    const text = await metrics.text();
    for (const code of CODES) expect(text).toContain(`try_it_now_admin_refusals_total{code="${code}"} ${count}\n`);
    for (const code of CODES) calls.note(new TryItNowError(code, 'no'), '127.0.0.1');
  }
});
