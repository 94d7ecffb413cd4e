import { afterEach, expect, it, vi } from 'vitest';
import { ProblemError, TryItNow, type VisitEvents } from '../../packages/client/src/index.ts';
import { TryItNowError } from '../../src/domain/errors.ts';
import type { AcquireRequest } from '../../src/http/demos.ts';
import { challengeRequired, FakeDemos } from '../support/fake-demos.ts';
import { startHttp } from '../support/http-server.ts';

afterEach(() => {
  vi.unstubAllGlobals();
});

it('proves work in pages over plain http, which have no Web Crypto', async () => {
  const demos = new FakeDemos();
  const solutions: unknown[] = [];
  const acquireOrWait = demos.acquireOrWait.bind(demos);
  demos.acquireOrWait = (request: AcquireRequest & { readonly idempotencyKey: string }) => {
    if (request.solution === undefined) return Promise.reject(challengeRequired());
    solutions.push(JSON.parse(atob(request.solution)));
    return acquireOrWait(request);
  };
  await using http = await startHttp({ demos });
  const bytes = crypto.getRandomValues.bind(crypto);
  vi.stubGlobal('crypto', { getRandomValues: bytes });
  const visit = await new TryItNow({ url: http.url }).acquire({ template: 'hello' });
  expect(visit.state).toBe('running');
  expect(solutions).toEqual([expect.objectContaining({ number: 7, salt: 'a'.repeat(24) })]);
});

it('tells of a challenge that no number solves as of any refusal', async () => {
  const demos = new FakeDemos();
  const { challenge } = challengeRequired().details as { challenge: object };
  const details = { challenge: { ...challenge, maxnumber: 6 } };
  demos.failure = new TryItNowError('challenge_required', 'in demand', { details });
  await using http = await startHttp({ demos });
  const visit = new TryItNow({ url: http.url }).visit({ template: 'hello' });
  const told: VisitEvents['error'][] = [];
  visit.on('error', (detail) => told.push(detail));
  const failure: unknown = await visit.ready.catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(ProblemError);
  expect(failure).toMatchObject({ code: 'challenge_required', cause: expect.any(Error) as Error });
  expect(told).toMatchObject([{ template: 'hello', code: 'challenge_required' }]);
});

it('gives up a challenge at once when it is told to', async () => {
  const demos = new FakeDemos();
  const { challenge } = challengeRequired().details as { challenge: object };
  const details = { challenge: { ...challenge, challenge: '0'.repeat(64), maxnumber: 1_000_000_000 } };
  demos.failure = new TryItNowError('challenge_required', 'in demand', { details });
  await using http = await startHttp({ demos });
  const stop = new AbortController();
  const visit = new TryItNow({ url: http.url }).visit({ template: 'hello', signal: stop.signal });
  setTimeout(() => stop.abort(new Error('enough')), 300);
  await expect(visit.ready).rejects.toThrow('enough');
});
