import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchCaddy } from '../../src/launcher/caddy.ts';
import { launchSimulatedEngine, type LaunchedSimulatedEngine } from '../../src/launcher/simulated-engine.ts';
import { eventually } from '../support/eventually.ts';
import { RunbookDeployment, PATIENT } from '../support/runbook-deployment.ts';

const REPAIRS = 'try_it_now_reconcile_repairs_total{kind="proxy"}';
/** The loops that ask Caddy, in the order of their names. */
const WATCHING = ['proxy keeper', 'reconciler'];

describe('Caddy without our server', () => {
  let folder: string;
  let engine: LaunchedSimulatedEngine;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tin-routes-'));
    engine = await launchSimulatedEngine({ socketPath: join(folder, 'engine.sock') });
  });
  afterAll(async () => {
    await engine[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  it('is repaired within one round after its routes were cleared, and visitors are back where they were', async () => {
    await using runbook = await RunbookDeployment.open({ simulatedSocket: engine.socketPath });
    const visitor = await runbook.acquire();
    expect(await runbook.visit(visitor)).toBe(200);
    const repairs = await runbook.metric(REPAIRS);
    expect(
      (await fetch(`${runbook.stack.caddy.adminUrl}/config/apps/http/servers/demo`, { method: 'DELETE' })).status,
    ).toBe(200);
    await eventually(async () => expect(await runbook.visit(visitor)).toBe(200), PATIENT);
    await runbook.settled();
    expect(await runbook.metric(REPAIRS)).toBe(repairs + 1);
    // Nothing else was taken for broken, neither by the rounds nor by the starts that went on meanwhile.
    expect(runbook.book.lines.filter(({ level }) => level >= 50)).toEqual([]);
  });

  it('is repaired after it came back empty, with starts waiting for it', async () => {
    await using runbook = await RunbookDeployment.open({ simulatedSocket: engine.socketPath });
    const visitor = await runbook.acquire();
    const { caddy } = runbook.stack;
    await caddy.server.stop();
    // The refill of what is handed out now cannot be reached through the proxy for a while.
    const second = await runbook.acquire();
    const loops = (text: string): unknown[] =>
      runbook.book
        .with(text)
        .map(({ loop }) => loop)
        .sort();
    await eventually(() => expect(loops('Loop failed')).toEqual(WATCHING), PATIENT);
    await using again = await launchCaddy({ dir: folder, adminPort: Number(new URL(caddy.adminUrl).port) });
    expect(again.adminUrl).toBe(caddy.adminUrl);
    await eventually(
      async () => expect([await runbook.visit(visitor), await runbook.visit(second)]).toEqual([200, 200]),
      PATIENT,
    );
    await runbook.settled();
    expect(await runbook.stats()).toMatchObject({ ready: 3, assigned: 2, warming: 0, leaving: 0 });
    // One line on each edge from each of them, however long it lasted.
    await eventually(() => expect(loops('Loop recovered')).toEqual(WATCHING), PATIENT);
    expect(loops('Loop failed')).toEqual(WATCHING);
  });
});
