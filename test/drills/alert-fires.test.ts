import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ChildServer, findProgram } from '../../src/launcher/child-server.ts';
import { answers, freePort } from '../../src/launcher/tcp-ports.ts';
import { launchSimulatedEngine, type LaunchedSimulatedEngine } from '../../src/runtime/simulated/launch.ts';
import { Releasers } from '../../src/lifecycle/releasers.ts';
import { eventually } from '../support/eventually.ts';
import { asked, shippedDashboard } from '../support/grafana-dashboard.ts';
import { Prometheus } from '../support/prometheus.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { environmentOf } from '../support/stack-environment.ts';
import { silent } from '../support/store.ts';
import { template } from '../support/templates.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const PATIENT = { timeoutMs: 60_000, everyMs: 200 };
const TARGET = 5;

/**
 * No number without the thing itself: simulated containers are never restored, no visitor has to be
 * turned away for a restore, and none waits in line.
 */
const NO_NUMBER_HERE = new Set(['Restores from checkpoints', 'Waited for an instance, 90th percentile']);

/** Simulated containers are in no host's memory, and on no disk of it; and the pool here does not size itself. */
const ABSENT_HERE = new Set([
  'Memory available',
  'Free on the disk of the containers',
  'Memory and disk that will be left in six hours',
  'Pools that size themselves: target, and what would be needed',
  'What keeps a pool smaller than it should be',
]);

/**
 * As shipped, but for how long something has to last and over how long it is counted: nobody has
 * twelve hours for a test.
 */
function shortened(rules: string): string {
  return rules.replaceAll(/for: \d+[mh]/g, 'for: 2s').replaceAll(/\[\d+m\]/g, '[15s]');
}

const promtool = findProgram('promtool');
const missing = ['prometheus', 'promtool'].filter((program) => findProgram(program) === undefined);
if (missing.length > 0)
  process.stdout.write(
    `Skipped: the alerts on a real Prometheus; not installed: ${missing.join(', ')} (Debian package prometheus).\n`,
  );

describe.skipIf(missing.length > 0)('on a real Prometheus', () => {
  const releasers = new Releasers();
  let stack: Stack;
  let engine: LaunchedSimulatedEngine;
  let prometheus: Prometheus;
  let discoveryMetrics: string;

  beforeAll(async () => {
    const dir = await mkdtemp(join(tmpdir(), 'tin-alerts-'));
    releasers.push('folder', () => rm(dir, { recursive: true, force: true }));
    const socketPath = join(dir, 'engine.sock');
    engine = await launchSimulatedEngine({ socketPath });
    releasers.push('engine', () => engine[Symbol.asyncDispose]());
    stack = await startStack({
      templates: [
        template({
          pool: { target: TARGET, max: 12, replenishThreshold: 0 },
          ttl: { defaultMs: 3_000, maxMs: 60_000 },
        }),
      ],
      env: { SIMULATED_SOCKET: socketPath, POOL_HEALTH_INTERVAL: '1s' },
      reconcileIntervalMs: 1_000,
    });
    releasers.push('stack', () => stack[Symbol.asyncDispose]());
    discoveryMetrics = `127.0.0.1:${await freePort()}`;
    const discovery = await ChildServer.start({
      name: 'discovery',
      command: process.execPath,
      args: [MAIN, 'discovery'],
      saysUp: 'Discovery answers',
      isUp: () => answers(Number(discoveryMetrics.split(':')[1])),
      env: {
        ...environmentOf(stack),
        LOG_LEVEL: 'info',
        DISCOVERY_ADDR: `127.0.0.1:${await freePort()}`,
        DISCOVERY_METRICS_ADDR: discoveryMetrics,
      },
    });
    releasers.push('discovery', () => discovery.stop());
    const rules = shortened(await readFile('deploy/prometheus/rules/try-it-now.yaml', 'utf8'));
    prometheus = await Prometheus.launch({
      dir: join(dir, 'prometheus'),
      targets: { 'try-it-now': new URL(stack.api).host, 'try-it-now-discovery': discoveryMetrics },
      rules,
    });
    releasers.push('Prometheus', () => prometheus[Symbol.asyncDispose]());
  });
  afterAll(() => releasers.releaseAll(silent));

  async function firing(): Promise<string[]> {
    return (await prometheus.alerts())
      .filter(({ state }) => state === 'firing')
      .map(({ labels }) => `${labels['alertname'] ?? ''} ${labels['severity'] ?? ''}`)
      .sort();
  }

  async function acquire(): Promise<string> {
    const answer = await fetch(`${stack.api}/api/v1/demo/acquire`, { method: 'POST' });
    expect(answer.status).toBe(201);
    return ((await answer.json()) as { readonly id: string }).id;
  }

  it('nothing fires while all is well', async () => {
    await eventually(
      async () => expect((await stack.app.demos.stats()).get('tiny')).toMatchObject({ ready: TARGET }),
      PATIENT,
    );
    await fetch(`${stack.api}/api/v1/demo/${await acquire()}`, { method: 'DELETE' });
    await acquire();
    await eventually(async () => {
      expect(
        await prometheus.values(
          'min(up) == 1 and count(up) == 2 and sum(try_it_now_releases_total{reason="expired"}) >= 1',
        ),
      ).toHaveLength(1);
      expect(await firing()).toEqual([]);
    }, PATIENT);
  });

  it('each panel of the dashboard has data', async () => {
    const panels = shippedDashboard()
      .panels.filter(({ title }) => !ABSENT_HERE.has(title))
      .flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr: asked(expr, '30s') })));
    expect(panels.length).toBeGreaterThan(30);
    // One whose time runs out while Prometheus looks, then visitors who come and go: rates need something that happens.
    await acquire();
    await eventually(
      async () => {
        await fetch(`${stack.api}/api/v1/demo/${await acquire()}`, { method: 'DELETE' });
        const found = await Promise.all(
          panels.map(async ({ title, expr }) => ({ title, expr, values: await prometheus.values(expr) })),
        );
        expect(
          found.filter(({ title, values }) =>
            NO_NUMBER_HERE.has(title) ? values.length === 0 : !values.some(Number.isFinite),
          ),
        ).toEqual([]);
      },
      { ...PATIENT, everyMs: 500 },
    );
  });

  it("what the server and discovery tell after visits passes Prometheus' own lint", async () => {
    for (const at of [new URL(stack.api).host, discoveryMetrics]) {
      const { status, stdout, stderr } = spawnSync(promtool ?? '', ['check', 'metrics'], {
        input: await (await fetch(`http://${at}/metrics`)).text(),
        encoding: 'utf8',
      });
      expect([at, status, stdout, stderr]).toEqual([at, 0, '', '']);
    }
  });

  it('an engine that is unavailable empties the pool, which fires; back again, it fills, the alert ends', async () => {
    const { socketPath } = engine;
    await engine[Symbol.asyncDispose]();
    await eventually(async () => {
      expect(await firing()).toEqual(
        expect.arrayContaining(['TryItNowPartAway critical', 'TryItNowPoolLow critical', 'TryItNowPoolLow warning']),
      );
    }, PATIENT);
    await eventually(async () => {
      const low = (await prometheus.alerts()).find(
        ({ labels }) => labels['alertname'] === 'TryItNowPoolLow' && labels['severity'] === 'critical',
      );
      expect(low).toMatchObject({
        labels: { template: 'tiny', job: 'try-it-now' },
        annotations: {
          summary: 'Only 0% of the target of tiny is ready',
          runbook_url: expect.stringMatching(/#pool-not-replenishing$/) as string,
        },
      });
    }, PATIENT);

    engine = await launchSimulatedEngine({ socketPath });
    await eventually(async () => {
      expect(await prometheus.values('sum(try_it_now_pool_ready)')).toEqual([TARGET]);
      expect((await firing()).filter((alert) => /PoolLow|PartAway/.test(alert))).toEqual([]);
    }, PATIENT);
  });
});
