import { chmod, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Dockerode from 'dockerode';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ChildServer, findProgram } from '../../src/launcher/child-server.ts';
import { engineAnswers } from '../../src/launcher/engine-socket.ts';
import { createPodmanCheckpointing } from '../../src/runtime/podman/checkpoint/podman-checkpointing.ts';
import { createPodmanRuntime } from '../../src/runtime/podman/podman-runtime.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { uniqueDeployment } from '../support/container-engine.ts';
import { eventually } from '../support/eventually.ts';

/** What the trial says where checkpoints do not work: a service of Podman's that finds no CRIU, or a useless one. */
export function trialContract(): void {
  let folder: string;
  let service: ChildServer | undefined;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tin-trial-'));
  });
  afterEach(async () => {
    await service?.stop();
    service = undefined;
    await rm(folder, { recursive: true });
  });

  /** The programs of the host as they are, but for criu. */
  const podmanWith = async (criu: string | undefined): Promise<string> => {
    const programs = join(folder, 'programs');
    await rm(programs, { recursive: true, force: true });
    await mkdir(programs);
    for (const place of ['/usr/local/sbin', '/usr/sbin', '/usr/local/bin', '/usr/bin']) {
      for (const program of await readdir(place))
        if (program !== 'criu') await symlink(join(place, program), join(programs, program)).catch(() => undefined);
    }
    if (criu !== undefined) {
      await writeFile(join(programs, 'criu'), criu);
      await chmod(join(programs, 'criu'), 0o755);
    }
    const socketPath = join(folder, 'podman.sock');
    service = await ChildServer.start({
      name: 'Podman',
      command: join(programs, 'podman'),
      env: { PATH: programs },
      args: [
        '--runtime',
        findProgram('runc') ?? 'runc',
        '--cgroup-manager',
        'cgroupfs',
        '--events-backend',
        'file',
        'system',
        'service',
        '--time=0',
        `unix://${socketPath}`,
      ],
      isUp: () => engineAnswers(socketPath),
    });
    return socketPath;
  };

  it.each<[string, string | undefined]>([
    ['there is no CRIU', undefined],
    ['CRIU does not work', '#!/bin/sh\nexit 1\n'],
  ])('says so when %s, with what to do, and leaves nothing behind', async (_, criu) => {
    const socketPath = await podmanWith(criu);
    const options = { socketPath, deployment: uniqueDeployment(), node: 'node-a', log: createLogger('silent') };
    const runtime = createPodmanRuntime(options);
    try {
      const docker = new Dockerode({ host: '', socketPath });
      const before = await trialImages(docker);
      expect(await createPodmanCheckpointing(options).availability()).toEqual({
        available: false,
        reason: expect.stringMatching(
          /requires at least CRIU.*install CRIU 4\.2 or newer in a folder of the service's PATH \(`make setup` does\)/,
        ) as string,
      });
      expect(await runtime.list()).toEqual([]);
      // Trials of other tests on this host have images too: those go as well, while one that was left behind stays.
      const seen = (await trialImages(docker)).filter((image) => !before.includes(image));
      await eventually(
        async () => expect((await trialImages(docker)).filter((image) => seen.includes(image))).toEqual([]),
        { timeoutMs: 30_000, everyMs: 100 },
      );
    } finally {
      expect(await runtime.unprepare()).toBe(true);
    }
  });

  it('says so when the engine does not answer', async () => {
    const options = {
      socketPath: join(folder, 'nobody.sock'),
      deployment: uniqueDeployment(),
      node: 'node-a',
      log: createLogger('silent'),
    };
    expect(await createPodmanCheckpointing(options).availability()).toEqual({
      available: false,
      reason: expect.stringMatching(/Podman could not .*nobody\.sock/) as string,
    });
  });
}

async function trialImages(docker: Dockerode): Promise<readonly string[]> {
  const images = await docker.listImages({ filters: { reference: ['localhost/try-it-now-trial'] } });
  return images.flatMap(({ RepoTags }) => RepoTags ?? []);
}
