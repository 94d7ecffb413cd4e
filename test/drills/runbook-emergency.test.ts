import { mkdtemp, rm } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { launchSimulatedEngine, type LaunchedSimulatedEngine } from '../../src/runtime/simulated/launch.ts';
import { discrepanciesSoFar, readRecords } from '../support/state-audit.ts';
import { eventually } from '../support/eventually.ts';
import { PATIENT } from '../support/runbook-deployment.ts';
import { ServerProcess } from '../support/server-process.ts';

let folder: string;
let engine: LaunchedSimulatedEngine;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tin-emergency-'));
  engine = await launchSimulatedEngine({ socketPath: join(folder, 'engine.sock') });
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

// Each single step at which it may die is in crash-at-every-step.test.ts; this is what somebody with
// the runbook does and sees.
describe('an emergency shutdown (kill -9)', () => {
  it(
    'needs no step but the start: the queue goes on, the stats are right, orphans ' +
      'are gone, visitors notice nothing',
    async () => {
      await using server = await ServerProcess.launch({
        engine: 'simulated',
        engineSocket: engine.socketPath,
        ports: 200,
        templates: [{ name: 'tiny', title: 'Tiny', image: 'localhost/unused', port: 80, pool: { target: 6, max: 30 } }],
        env: { QUEUE_ACK_WAIT: '6s', QUEUE_WORKER_COUNT: '2' },
      });
      const settled = (): Promise<void> =>
        eventually(async () => expect(await discrepanciesSoFar(server.auditTarget)).toEqual([]), PATIENT);
      await settled();
      const acquire = async (): Promise<{ readonly id: string; readonly url: string }> => {
        const answer = await fetch(`${server.api}/api/v1/demo/acquire`, { method: 'POST' });
        expect(answer.status).toBe(201);
        return (await answer.json()) as { id: string; url: string };
      };
      const visit = async ({ url }: { readonly url: string }): Promise<number> => {
        const answer = await request(`http://127.0.0.1:${server.proxyPort}/`, {
          headers: { host: new URL(url).host },
          reset: true,
        });
        await answer.body.dump();
        return answer.statusCode;
      };
      const visitors = await Promise.all([acquire(), acquire(), acquire(), acquire()]);
      const [leaving, ...staying] = visitors;
      // The refill and a cleanup are under way.
      expect((await fetch(`${server.api}/api/v1/demo/${leaving.id}`, { method: 'DELETE' })).status).toBe(204);
      await server.kill();

      // Nobody serves the API, but who is in an app stays there; and somebody starts a container
      // under our labels by hand.
      for (const visitor of staying) expect(await visit(visitor)).toBe(200);
      await startOrphan(server.auditTarget.deployment);

      await server.start();
      await settled();
      for (const visitor of staying) expect(await visit(visitor)).toBe(200);
      expect(await visit(leaving)).toBeGreaterThanOrEqual(400);
      expect(await (await fetch(`${server.api}/api/v1/pool/stats`)).json()).toMatchObject({
        ready: 6,
        assigned: 3,
        warming: 0,
        leaving: 0,
      });
      expect(
        (await readRecords(server.auditTarget))
          .filter(({ state }) => state === 'assigned')
          .map(({ id }) => id)
          .sort(),
      ).toEqual(staying.map(({ id }) => id).sort());
      // And it takes and gives back as ever.
      const after = await acquire();
      expect(await visit(after)).toBe(200);
      for (const { id } of [after, ...staying])
        expect((await fetch(`${server.api}/api/v1/demo/${id}`, { method: 'DELETE' })).status).toBe(204);
      await settled();
    },
  );
});

async function startOrphan(deployment: string): Promise<void> {
  const body = JSON.stringify({
    owner: { deployment, node: 'node0' },
    address: '127.0.0.1',
    template: 'tiny',
    hostPort: await freePort(),
  });
  const status = await new Promise((resolve, reject) => {
    httpRequest(
      {
        socketPath: engine.socketPath,
        method: 'POST',
        path: '/containers/demo-by-hand/start',
        agent: false,
        headers: { 'content-type': 'application/json', 'content-length': body.length },
      },
      (answer) => {
        answer.resume().once('end', () => resolve(answer.statusCode));
      },
    )
      .once('error', reject)
      .end(body);
  });
  expect(status).toBe(200);
}
