import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRuntime } from '../../src/adapters.ts';
import { launchSimulatedEngine, type LaunchedSimulatedEngine } from '../../src/launcher/simulated-engine.ts';
import { launchValkey } from '../../src/launcher/valkey.ts';
import { eventually } from '../support/eventually.ts';
import { Desk, PATIENT } from '../support/runbook-desk.ts';
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
  const open = (): Promise<Desk> =>
    Desk.open({
      simulatedSocket: engine.socketPath,
      templates: [template(), template({ name: 'other', pool: { target: 2, max: 5, replenishThreshold: 0 } })],
    });

  /** The pool works as one that was never touched: all that is handed out can be reached, and none of it is of the time before. */
  async function expectToWork(desk: Desk, before: readonly { readonly id: string }[]): Promise<void> {
    await desk.settled();
    const taken = await Promise.all([desk.acquire(), desk.acquire()]);
    expect(new Set([...before, ...taken].map(({ id }) => id)).size).toBe(before.length + 2);
    for (const visitor of taken) expect(await desk.visit(visitor)).toBe(200);
    await desk.release(taken[0]);
    await desk.settled();
    expect(await desk.stats()).toMatchObject({ assigned: 1, warming: 0, leaving: 0 });
  }

  it("comes back by the runbook's steps: stop, remove the containers, clear the routes, start", async () => {
    await using desk = await open();
    const lost = [await desk.acquire(), await desk.acquire()];
    await desk.stack.restart(async () => {
      await desk.valkey.flushall();
      const { config, caddy } = desk.stack;
      const runtime = createRuntime('simulated', config, silent);
      for (const { name } of await runtime.list()) await runtime.remove(name);
      expect(await runtime.list()).toEqual([]);
      expect((await fetch(`${caddy.adminUrl}/config/apps/http/servers/demo`, { method: 'DELETE' })).status).toBe(200);
    });
    await expectToWork(desk, lost);
    for (const visitor of lost) expect(await desk.visit(visitor)).toBeGreaterThanOrEqual(400);
  });

  it('comes back with no step at all, while tasks are under way', async () => {
    await using desk = await open();
    const lost = [await desk.acquire(), await desk.acquire()];
    // The refill is under way.
    await desk.valkey.flushall();
    await expectToWork(desk, lost);
    for (const visitor of lost) expect(await desk.visit(visitor)).toBeGreaterThanOrEqual(400);
    expect(desk.book.with('Loop failed')).toEqual([]);
  });

  it('comes back when Valkey was started again without its data, and without the scripts it had', async () => {
    await using desk = await open();
    const lost = [await desk.acquire()];
    const { valkey } = desk.stack;
    await valkey.server.stop();
    // An answer with a status, rather than none: the start page's and the API's callers can tell what to do.
    const refused = await fetch(`${desk.stack.api}/api/v1/demo/acquire`, { method: 'POST' });
    expect([refused.status, Number(refused.headers.get('retry-after')) > 0]).toEqual([503, true]);
    await using again = await launchValkey({ dir: folder, port: Number(valkey.address.split(':')[1]) });
    expect(again.address).toBe(valkey.address);
    await eventually(() => desk.valkey.ping(), PATIENT);
    await expectToWork(desk, lost);
  });
});
