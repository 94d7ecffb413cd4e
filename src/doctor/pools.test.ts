import { expect, it } from 'vitest';
import type { FailureReport } from '../domain/failure-report.ts';
import type { Instance } from '../domain/instance.ts';
import type { PoolSize } from '../domain/pool-size.ts';
import type { Template } from '../domain/template.ts';
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
  readonly size?: PoolSize;
  readonly wished?: number;
  readonly shop?: Template;
}

const FULL: PoolStats = { ready: 3, assigned: 0, warming: 0, leaving: 0, waiting: 0, target: 3, capacity: 10 };
const fixed = template({ name: 'shop' });
const AUTOSIZE = { min: 1, max: 8, cover: 0.95, schedule: [] };
const sized = template({ name: 'shop', pool: { target: 1, max: 10, replenishThreshold: 0, autosize: AUTOSIZE } });

async function diagnoses({
  stats = {},
  mode = 'open',
  breaker,
  failed = [],
  unready,
  records = [],
  size,
  wished,
  shop = fixed,
}: Given): Promise<readonly Diagnosis[]> {
  const control = {
    mode,
    sinceMs: undefined,
    deadlineMs: undefined,
    reason: undefined,
    target: wished,
    targetUntilMs: undefined,
  };
  const state = new Shared(
    () =>
      Promise.resolve({
        stats: new Map([['shop', { ...FULL, ...stats }]]),
        controls: new Map([['shop', control]]),
        breakers: new Map(breaker === undefined ? [] : [['shop', breaker]]),
        sizes: new Map(size === undefined ? [] : [['shop', size]]),
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

const FITTING: PoolSize = {
  ...{ v: 1, target: 8, need: 8, reason: 'recent', atMs: 1 },
  ...{ leadMs: 4_000, clicksPerMinute: 30, mostClicks: 22, lastWeek: 0 },
};
const SIZE: PoolSize = { ...FITTING, need: 9, bound: 'max' };

it.each<[string, Given, string, RegExp]>([
  ['one that nobody has decided on', {}, 'warning', /no server/],
  ['one at its bound', { size: SIZE }, 'warning', /its autosize\.max/],
  ['one that hosts have no memory for', { size: { ...SIZE, target: 3, bound: 'memory' } }, 'warning', /no more/],
  ['one that is as large as it should be', { size: FITTING }, 'ok', /30 clicks/],
  ['one that an operator decided', { size: SIZE, wished: 2 }, 'warning', /set the target to 2/],
])('judges the size of a pool that sizes itself: %s', async (_, given, verdict, seen) => {
  const found = (await diagnoses({ ...given, shop: sized })).find(({ what }) => what === 'size of shop');
  expect(found).toMatchObject({ verdict, seen: expect.stringMatching(seen) as string });
});

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
