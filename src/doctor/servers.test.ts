import { expect, it } from 'vitest';
import { RUNNING_PROCESS_VERSION, type RunningProcess } from '../domain/running-process.ts';
import { Shared, runChecks } from './check.ts';
import { serversCheck } from './servers.ts';

const first: RunningProcess = {
  v: RUNNING_PROCESS_VERSION,
  role: 'server',
  version: '1.0.0',
  host: 'a',
  pid: 7,
  node: 'node0',
  startedAtMs: 1,
  templates: { hello: 'v1' },
  leads: ['proxy:node0', 'node:node0'],
};
const second: RunningProcess = { ...first, role: 'worker', host: 'b', pid: 8, node: 'node1', leads: [] };

it.each<[string, RunningProcess[], string, string]>([
  ['nobody', [], 'warning', 'no server or worker says that it runs'],
  ['one', [first], 'ok', 'server a/7 (1.0.0, node node0, leads node:node0, proxy:node0)'],
  [
    'two that have the same, and one more of its own',
    [first, { ...second, templates: { hello: 'v1', shop: 'v1' } }],
    'ok',
    'server a/7 (1.0.0, node node0, leads node:node0, proxy:node0); worker b/8 (1.0.0, node node1)',
  ],
  [
    'two in the middle of an upgrade',
    [first, { ...second, templates: { hello: 'v2' } }],
    'warning',
    'server a/7 (1.0.0, node node0, leads node:node0, proxy:node0); worker b/8 (1.0.0, node node1); ' +
      'they do not have the same hello, so visitors get one version or the other',
  ],
  [
    'two with different files',
    [
      { ...first, catalogue: { revision: 'aaa', sinceMs: 1, reloads: 0 } },
      { ...second, catalogue: { revision: 'bbb', sinceMs: 1, reloads: 0 } },
    ],
    'warning',
    'server a/7 (1.0.0, node node0, leads node:node0, proxy:node0); worker b/8 (1.0.0, node node1); ' +
      'they were given different files of templates: server a/7 goes by aaa, worker b/8 goes by bbb',
  ],
  [
    'one that refused to reload',
    [{ ...first, catalogue: { revision: 'aaa', sinceMs: 1, reloads: 2, problem: 'a.yaml:3 is wrong' } }],
    'warning',
    'server a/7 (1.0.0, node node0, leads node:node0, proxy:node0); the templates were not reloaded everywhere: ' +
      'server a/7 goes by older ones, since a.yaml:3 is wrong',
  ],
  [
    'one whose unit takes rights away',
    [{ ...first, lacks: ['CAP_CHOWN', 'CAP_KILL'] }],
    'warning',
    'server a/7 (1.0.0, node node0, leads node:node0, proxy:node0); server a/7 lacks CAP_CHOWN, CAP_KILL: what ' +
      'instances write and compute there is bounded in part only, and some checkpoints cannot be restored',
  ],
])('judges %s', async (_, running, verdict, seen) => {
  const processes = new Shared(() => Promise.resolve({ running: () => Promise.resolve(running) }), 'never');
  const [diagnosis] = await runChecks([serversCheck(processes)]);
  expect([diagnosis?.verdict, diagnosis?.seen]).toEqual([verdict, seen]);
});

it.each([
  ['1.0.0+0a1b2c3d', '1.0.0+4e5f6a7b', 'Finish the upgrade'],
  ['1.0.0+0a1b2c3d', '1.0.0+0a1b2c3d', 'Give all of them the same templates'],
])('advises what to do about templates that differ between %s and %s', async (one, other, advice) => {
  const running = [
    { ...first, version: one },
    { ...second, version: other, templates: { hello: 'v2' } },
  ];
  const processes = new Shared(() => Promise.resolve({ running: () => Promise.resolve(running) }), 'never');
  const [diagnosis] = await runChecks([serversCheck(processes)]);
  expect(diagnosis?.remedy).toMatch(new RegExp(`^${advice}`));
});

it('says that it could not look where the store does not answer', async () => {
  const processes = new Shared(() => Promise.reject(new Error('refused')), 'Valkey cannot be used');
  expect(await runChecks([serversCheck(processes)])).toMatchObject([
    { part: 'Server', what: 'servers', verdict: 'not_looked_at', seen: expect.stringContaining('Valkey') as string },
  ]);
});
