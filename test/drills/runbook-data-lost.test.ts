import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRuntime } from '../../src/composition/engines.ts';
import { launchSimulatedEngine, type LaunchedSimulatedEngine } from '../../src/runtime/simulated/launch.ts';
import { launchValkey } from '../../src/launcher/valkey.ts';
import { loadEngine } from '../../src/runtime/engines.ts';
import { eventually } from '../support/eventually.ts';
import { RunbookDeployment, PATIENT } from '../support/runbook-deployment.ts';
import { silent } from '../support/store.ts';
import { template } from '../support/templates.ts';

describe("Valkey's data is lost", () => {
  let folder: string;
  let engine: LaunchedSimulatedEngine;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tin-data-lost-'));
    engine = await launchSimulatedEngine({ socketPath: join(folder, 'engine.sock') });
  });
  afterAll(async () => {
    await engine[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });
  const open = (): Promise<RunbookDeployment> =>
    RunbookDeployment.open({
      simulatedSocket: engine.socketPath,
      templates: [template(), template({ name: 'other', pool: { target: 2, max: 5, replenishThreshold: 0 } })],
    });

  /**
   * The pool works as one that was never touched: all that is handed out can be reached, and none of it
   * is of the time before.
   */
  async function expectToWork(runbook: RunbookDeployment, before: readonly { readonly id: string }[]): Promise<void> {
    await runbook.settled();
    // Told to try again while what is of the time before is being replaced.
    const taken = await Promise.all([1, 2].map(() => eventually(() => runbook.acquire(), PATIENT)));
    expect(new Set([...before, ...taken].map(({ id }) => id)).size).toBe(before.length + 2);
    for (const visitor of taken) expect(await runbook.visit(visitor)).toBe(200);
    for (const visitor of taken.slice(1)) await runbook.release(visitor);
    await runbook.settled();
    expect(await runbook.stats()).toMatchObject({ assigned: 1, warming: 0, leaving: 0 });
  }

  /** As soon as discovery has noticed that the store was replaced, and the proxy asked it again. */
  async function expectForgotten(runbook: RunbookDeployment, lost: readonly { readonly url: string }[]): Promise<void> {
    for (const visitor of lost)
      await eventually(async () => expect(await runbook.visit(visitor)).toBeGreaterThanOrEqual(400), PATIENT);
  }

  it("comes back by the runbook's steps: stop, remove the containers, clear the routes, start", async () => {
    await using runbook = await open();
    const lost = [await runbook.acquire(), await runbook.acquire()];
    await runbook.stack.restart(async () => {
      await runbook.valkey.flushall();
      const { config, caddy } = runbook.stack;
      const runtime = createRuntime(await loadEngine('simulated'), config, silent);
      for (const { name } of await runtime.list()) await runtime.remove(name);
      expect(await runtime.list()).toEqual([]);
      expect((await fetch(`${caddy.adminUrl}/config/apps/http/servers/demo`, { method: 'DELETE' })).status).toBe(200);
    });
    await expectToWork(runbook, lost);
    await expectForgotten(runbook, lost);
  });

  it('comes back with no step at all, while tasks are under way', async () => {
    await using runbook = await open();
    const lost = [await runbook.acquire(), await runbook.acquire()];
    // The refill is under way.
    await runbook.valkey.flushall();
    await expectToWork(runbook, lost);
    await expectForgotten(runbook, lost);
    expect(runbook.book.with('Loop failed')).toEqual([]);
  });

  it('comes back when Valkey was started again without its data, and without the scripts it had', async () => {
    await using runbook = await open();
    const lost = [await runbook.acquire()];
    const { valkey } = runbook.stack;
    await valkey.server.stop();
    // An answer with a status, rather than none: the start page's and the API's callers can tell what to do.
    const refused = await fetch(`${runbook.stack.api}/api/v1/demo/acquire`, { method: 'POST' });
    expect([refused.status, Number(refused.headers.get('retry-after')) > 0]).toEqual([503, true]);
    await using again = await launchValkey({ dir: folder, port: Number(valkey.address.split(':')[1]) });
    expect(again.address).toBe(valkey.address);
    await eventually(() => runbook.valkey.ping(), PATIENT);
    await expectToWork(runbook, lost);
  });
});
