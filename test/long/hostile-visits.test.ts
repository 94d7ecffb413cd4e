import Dockerode from 'dockerode';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadAttackerImage } from '../hostile/attacker-image.ts';
import { launchEngine, titleFor, whyWithout, type LaunchedEngine } from '../support/container-engine.ts';
import { eventually } from '../support/eventually.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { template } from '../support/templates.ts';
import type { TinyImage } from '../support/tiny-image.ts';

const MIB = 2 ** 20;
const PATIENT = { timeoutMs: 240_000 };
/** What each visitor has which app do, and what that ends the visit as. */
const ATTACKS = [
  { app: 'small', attack: 'fill-disk?bytes+64', reason: 'disk_limit' },
  { app: 'large', attack: 'flood-output?1000000000', reason: 'output_limit' },
  { app: 'small', attack: 'burn-processor?600', reason: 'cpu_limit' },
] as const;

/** Before those, since they leave the others of a small machine few processors. */
const HIDING = [
  { app: 'crowds', attack: 'fill-disk?crowd+4', reason: 'disk_limit' },
  { app: 'mappings', attack: 'fill-disk?crowd-maps+24', reason: 'disk_limit' },
  { app: 'movers', attack: 'fill-disk?moving+24', reason: 'disk_limit' },
] as const;

interface Held {
  readonly id: string;
  /** Of the app itself, so that nobody takes what is done there for a visitor's use. */
  readonly origin: string;
}

async function acquire({ api }: Stack, docker: Dockerode, app: string): Promise<Held> {
  const response = await fetch(`${api}/api/v1/demo/acquire`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ template: app }),
  });
  expect(response.status).toBe(201);
  const { id } = (await response.json()) as { id: string };
  const [container] = await docker.listContainers({ filters: { label: [`try-it-now.instance=${id}`] } });
  const port = container?.Ports.find(({ PrivatePort }) => PrivatePort === 80)?.PublicPort;
  return { id, origin: `http://127.0.0.1:${port}` };
}

async function metric({ api }: Stack, series: string): Promise<number> {
  const text = await (await fetch(`${api}/metrics`)).text();
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1));
}

/** From the click to the end, with every part as in production; two loops of 10 s each have to come round. */
describe.each(['podman', 'docker'] as const)('visitors who attack', (name) => {
  describe.skipIf(whyWithout(name) !== undefined)(titleFor(name), () => {
    let launched: LaunchedEngine;
    let image: TinyImage;

    beforeAll(async () => {
      launched = await launchEngine(name);
      image = await loadAttackerImage(launched.socketPath);
    });
    afterAll(async () => {
      await image[Symbol.asyncDispose]();
      await launched[Symbol.asyncDispose]();
    });

    it('lose their visits, each for its reason, and nobody else does', async () => {
      const { socketPath } = launched;
      const offered = (app: string, cpus: number, target: number) =>
        template({
          name: app,
          image: image.name,
          port: image.port,
          limits: { memoryBytes: 64 * MIB, cpus, pids: 32 },
          disk: { bytes: 16 * MIB, files: 500 },
          pool: { target, max: 2 * target, replenishThreshold: 0 },
          ttl: { defaultMs: 3_600_000, maxMs: 3_600_000 },
          maxAgeMs: 7_200_000,
        });
      await using stack = await startStack({
        engine: name,
        socketPath,
        // What a busy machine leaves to who computes is enough of a small limit; to flood needs more of it.
        templates: [
          offered('small', 0.25, 3),
          offered('large', 1, 1),
          ...['crowds', 'mappings', 'movers'].map((app) => offered(app, 1, 1)),
        ],
        env: { UNUSED_CPU_THROTTLE_AFTER: '10s', UNUSED_CPU_END_AFTER: '20s' },
      });
      const docker = new Dockerode({ host: '', socketPath });
      await eventually(async () => {
        const stats = await (await fetch(`${stack.api}/api/v1/pool/stats`)).json();
        expect(stats).toMatchObject({ ready: 7 });
      }, PATIENT);
      const honest = await acquire(stack, docker, 'small');
      for (const attacks of [HIDING, ATTACKS]) {
        for (const { app, attack } of attacks) {
          const { origin } = await acquire(stack, docker, app);
          // It breaks off with the container.
          void fetch(`${origin}/cgi-bin/${attack}`).catch(() => undefined);
        }
        for (const { app, reason } of attacks) {
          const series = `try_it_now_releases_total{template="${app}",reason="${reason}"}`;
          await eventually(async () => expect([reason, await metric(stack, series)]).toEqual([reason, 1]), PATIENT);
        }
      }
      // Who writes or forks computes as well, the more so on a busy machine.
      expect(await metric(stack, 'try_it_now_throttled_total{template="small"}')).toBeGreaterThanOrEqual(1);
      expect((await fetch(`${stack.api}/api/v1/demo/${honest.id}`)).status).toBe(200);
      expect((await fetch(honest.origin)).status).toBe(200);
      expect(await metric(stack, 'try_it_now_storage_low')).toBe(0);
    });
  });
});
