import { expect, it } from 'vitest';
import type { FailureReport } from '../domain/failure-report.ts';
import type { Instance } from '../domain/instance.ts';
import type { BreakerStatus } from '../pool/interfaces/breakers.ts';
import type { PoolStats } from '../pool/interfaces/inventory.ts';
import type { PoolMode } from '../pool/interfaces/pool-controls.ts';
import { template } from '../../test/support/templates.ts';
import { Shared, runChecks, type Diagnosis } from './check.ts';
import { poolChecks } from './pools.ts';

interface Given {
  readonly stats?: Partial<PoolStats>;
  readonly mode?: PoolMode;
  readonly failed?: readonly FailureReport[];
  readonly unready?: FailureReport;
  readonly breaker?: BreakerStatus;
  readonly records?: readonly Instance[];
}

const FULL: PoolStats = { ready: 3, assigned: 0, warming: 0, leaving: 0, waiting: 0, target: 3, capacity: 10 };
const shop = template({ name: 'shop' });

async function diagnoses({
  stats = {},
  mode = 'open',
  breaker,
  failed = [],
  unready,
  records = [],
}: Given): Promise<readonly Diagnosis[]> {
  const control = { mode, sinceMs: undefined, deadlineMs: undefined, reason: undefined, target: undefined };
  const state = new Shared(
    () =>
      Promise.resolve({
        stats: new Map([['shop', { ...FULL, ...stats }]]),
        controls: new Map([['shop', control]]),
        breakers: new Map(breaker === undefined ? [] : [['shop', breaker]]),
        records,
      }),
    'absent',
  );
  const [deaths, failures] = [() => Promise.resolve(new Map()), () => Promise.resolve(failed)];
  const waiting = (): Promise<FailureReport | undefined> => Promise.resolve(unready);
  return runChecks(poolChecks({ templates: [shop], state, deaths, failures, unready: waiting }));
}

async function verdicts(given: Given): Promise<readonly string[]> {
  return (await diagnoses(given)).map(({ verdict }) => verdict);
}

it.each<[string, Given, string]>([
  ['a full pool', {}, 'ok'],
  ['one that is being filled', { stats: { ready: 1, warming: 2 } }, 'warning'],
  ['an empty one', { stats: { ready: 0, warming: 3 } }, 'failure'],
  ['one that visitors hold as a whole', { stats: { ready: 0, assigned: 10 } }, 'failure'],
  ['one that visitors nearly hold as a whole', { stats: { ready: 1, assigned: 9 } }, 'warning'],
  ['one without a target', { stats: { ready: 0, target: 0 } }, 'warning'],
  ['one that an operator paused', { mode: 'paused' }, 'warning'],
])('judges %s', async (_, given, expected) => expect((await verdicts(given))[0]).toBe(expected));

it.each([
  ['without failures', undefined, 'ok'],
  ['after one', { open: false, failures: 1, pauseMs: 0, unhealthy: 0 }, 'warning'],
  ['after one that did not stay healthy', { open: false, failures: 0, pauseMs: 0, unhealthy: 1 }, 'warning'],
  ['with an open breaker', { open: true, failures: 4, pauseMs: 10_000, unhealthy: 0 }, 'failure'],
])('judges refills %s', async (_, breaker, expected) => {
  expect((await verdicts(breaker === undefined ? {} : { breaker }))[1]).toBe(expected);
});

const report: FailureReport = {
  v: 1,
  instance: 'a'.repeat(26),
  template: 'shop',
  node: 'node0',
  atMs: 1,
  code: 'container_exited',
  reason: 'it ended with exit code 3',
  remedy: 'Give it its key',
  exitCode: 3,
  signal: null,
  output: 'FATAL',
};

it('says why the last attempt failed, and the remedy, while attempts fail', async () => {
  const [, refills] = await diagnoses({
    breaker: { open: false, failures: 1, pauseMs: 0, unhealthy: 0 },
    failed: [report],
  });
  expect(refills?.seen).toContain('the last failed: it ended with exit code 3');
  expect(refills?.remedy).toMatch(/^Give it its key; .*pool failures shop/);
});

it('says what keeps one that is being started from being ready, before anything has failed', async () => {
  const [, refills] = await diagnoses({ stats: { ready: 2, warming: 1 }, unready: report });
  expect(refills).toMatchObject({
    verdict: 'warning',
    seen: 'no failures, but one that is being started is not ready so far: it ended with exit code 3',
    remedy: expect.stringMatching(/^Give it its key; .*readiness.timeout/) as string,
  });
});

it('tells why visitors of an app get no bar, as of its latest instance', async () => {
  const instance = (createdAtMs: number, bare?: Instance['bare']) =>
    ({ template: 'shop', state: 'ready', createdAtMs, ...(bare && { bare }) }) as Instance;
  const away = instance(2, { why: 'leads_elsewhere', what: 'https://login.example' });
  const frames = async (records: Instance[]) =>
    (await diagnoses({ records })).filter(({ what }) => what === 'frame of shop');
  expect(await frames([instance(1), away])).toMatchObject([
    { verdict: 'ok', seen: expect.stringContaining('leads to https://login.example, which is another') as string },
  ]);
  expect(await frames([instance(3), away])).toEqual([]);
});
