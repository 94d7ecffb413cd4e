import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Dockerode from 'dockerode';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchPodman, type LaunchedPodman } from '../../src/runtime/podman/launch.ts';
import { titleFor, whyWithout } from '../support/container-engine.ts';
import { eventually } from '../support/eventually.ts';
import { claimPorts } from '../support/port-ranges.ts';
import { RunbookDeployment, PATIENT } from '../support/runbook-deployment.ts';
import { template } from '../support/templates.ts';
import { loadTinyImage, type TinyImage } from '../support/tiny-image.ts';

const POOL = { target: 2, max: 4, replenishThreshold: 0 };

/**
 * The causes that the runbook lists for it. A missing checkpoint is tried in test/e2e/checkpoints.test.ts, a database
 * that is unavailable with the outages.
 */
describe.skipIf(whyWithout('podman') !== undefined)(
  `a pool that does not fill again, on ${titleFor('podman')}`,
  { concurrent: true },
  () => {
    let folder: string;
    let podman: LaunchedPodman;
    let image: TinyImage;
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'tin-replenishing-'));
      podman = await launchPodman({ socketPath: join(folder, 'podman.sock') });
      image = await loadTinyImage(podman.socketPath);
    });
    afterAll(async () => {
      await image[Symbol.asyncDispose]();
      await podman[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    });

    it('names an image that was never pulled, serves the others, and fills by itself once it is there', async () => {
      const repo = `${image.name.split(':')[0] ?? ''}-later`;
      const sound = template({ name: 'sound', image: image.name, port: image.port, pool: POOL });
      const late = { ...sound, name: 'late', image: `${repo}:tiny` };
      await using runbook = await RunbookDeployment.open(
        { engine: 'podman', socketPath: podman.socketPath, templates: [sound, late] },
        { full: false },
      );
      expect(runbook.book.with('Templates without their image')).toMatchObject([
        { templates: ['late'], reason: expect.stringContaining(`podman pull ${late.image}`) as string },
      ]);
      await eventually(
        () =>
          expect(runbook.book.with('Provision task failed')).toContainEqual(
            expect.objectContaining({
              template: 'late',
              reason: expect.stringContaining(`podman pull ${late.image}`) as string,
            }),
          ),
        PATIENT,
      );
      await runbook.settled({ mayDie: new RegExp(repo), targets: { sound: 2, late: 0 } });
      expect(await runbook.visit(await runbook.acquire())).toBe(200);
      const docker = new Dockerode({ host: '', socketPath: podman.socketPath });
      await docker.getImage(image.name).tag({ repo, tag: 'tiny' });
      try {
        await runbook.settled({ mayDie: new RegExp(repo) });
      } finally {
        await docker.getImage(late.image).remove({ force: true });
      }
    });

    it('does not start at all without any of its images, and says which', async () => {
      const image = 'localhost/try-it-now-never-built:1';
      await expect(
        RunbookDeployment.open({ engine: 'podman', socketPath: podman.socketPath, templates: [template({ image })] }),
      ).rejects.toMatchObject({
        code: 'image_missing',
        message: expect.stringContaining(`podman pull ${image}`) as string,
      });
    });

    it('says that every port is in use or rests, and fills by itself once they have rested', async () => {
      await using ports = await claimPorts(4);
      const tiny = template({ image: image.name, port: image.port, pool: POOL });
      await using runbook = await RunbookDeployment.open({
        engine: 'podman',
        socketPath: podman.socketPath,
        templates: [tiny],
        env: {
          CONTAINER_PORT_RANGE_START: String(ports.start),
          CONTAINER_PORT_RANGE_END: String(ports.end),
          CONTAINER_PORT_COOLDOWN: '1h',
          POOL_TARGET_SIZE: '2',
          POOL_MAX_SIZE: '4',
        },
      });
      // Two rounds of visitors use up all four.
      for (let round = 0; round < 2; round += 1) {
        for (const visitor of [await runbook.acquire(), await runbook.acquire()]) await runbook.release(visitor);
        if (round === 0) await runbook.settled();
      }
      const [failed] = await eventually(() => {
        const lines = runbook.book.with('Provision task failed');
        expect(lines).not.toEqual([]);
        return lines;
      }, PATIENT);
      expect(failed?.reason).toContain('CONTAINER_PORT_RANGE_START');
      // They have rested.
      for (const port of await runbook.valkey.zrange('cooling_ports', 0, -1))
        await runbook.valkey.zadd('cooling_ports', 'XX', 0, port);
      // Nobody has to look into what passes by itself.
      await runbook.settled();
      expect(await runbook.visit(await runbook.acquire())).toBe(200);
    });

    it('takes no other engine when its own is unavailable: that would cost visitors all they have', async () => {
      const socketPath = join(folder, 'away.sock');
      let service = await launchPodman({ socketPath });
      try {
        const tiny = template({ image: image.name, port: image.port, pool: POOL });
        await using runbook = await RunbookDeployment.open({
          engine: 'podman',
          socketPath,
          templates: [tiny],
          env: { CONTAINER_MODE: 'auto', DOCKER_SOCKET: join(folder, 'no-docker.sock') },
        });
        const visitor = await runbook.acquire();
        await runbook.settled();
        await expect(
          runbook.stack.restart(async () => {
            await service[Symbol.asyncDispose]();
          }),
        ).rejects.toMatchObject({
          code: 'engine_unavailable',
          message: expect.stringMatching(/3 instances of node node0 run on podman.*CONTAINER_MODE=simulated/) as string,
        });
        expect(await runbook.visit(visitor)).toBe(200);
        service = await launchPodman({ socketPath });
        await runbook.stack.restart();
        await runbook.settled();
        expect(await runbook.visit(visitor)).toBe(200);
      } finally {
        await service[Symbol.asyncDispose]();
      }
    });
  },
);
