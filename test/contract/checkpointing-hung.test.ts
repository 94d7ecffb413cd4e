import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { extract } from 'tar';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_DUMP, type Template } from '../../src/domain/template.ts';
import { ChildServer, findProgram } from '../../src/launcher/child-server.ts';
import { engineAnswers } from '../../src/launcher/engine-socket.ts';
import type { ContainerSpec } from '../../src/pool/interfaces/container-runtime.ts';
import { networkFor, networkPlan } from '../../src/runtime/isolation/network-plan.ts';
import { cloneImages } from '../../src/runtime/podman/checkpoint/clone-images.ts';
import { createPodmanCheckpointing } from '../../src/runtime/podman/checkpoint/podman-checkpointing.ts';
import { restoreArchive } from '../../src/runtime/podman/checkpoint/restore-archive.ts';
import { killRestore } from '../../src/runtime/podman/checkpoint/stuck-restore.ts';
import { hostFlags } from '../../src/runtime/podman/launch.ts';
import { libpodUpload } from '../../src/runtime/podman/libpod-api.ts';
import { createPodmanRuntime } from '../../src/runtime/podman/podman-runtime.ts';
import { titleFor, uniqueDeployment, whyWithout } from '../support/container-engine.ts';
import { eventually } from '../support/eventually.ts';
import { LogBook } from '../support/queue.ts';
import { template } from '../support/templates.ts';
import { loadTinyImage, type TinyImage } from '../support/tiny-image.ts';
import { newSpec, untilReady } from './container-runtime.ts';

const run = promisify(execFile);
const never = new AbortController().signal;

describe.skipIf(whyWithout('podman') !== undefined)(titleFor('podman'), () => {
  let folder: string;
  let socketPath: string;
  let podman: ChildServer;
  let image: TinyImage;
  const deployment = uniqueDeployment();

  /**
   * A CRIU that hangs while a file says so. runc finds it by the path of Podman's service, whose storage is its own:
   * whoever shares that waits for the container that hangs too.
   */
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tin-hung-'));
    const criu = join(folder, 'criu');
    const real = findProgram('criu') ?? 'criu';
    const hangs = `[ -e ${folder}/hang ] && grep -qa restore /proc/$PPID/cmdline`;
    const script = `if ${hangs}; then echo "$@" >> ${folder}/hangs; exec sleep 600; fi\nexec ${real} "$@"`;
    await writeFile(criu, `#!/bin/sh\n${script}\n`);
    await chmod(criu, 0o755);
    const storage = ['--root', join(folder, 'storage'), '--runroot', join(folder, 'run')];
    socketPath = join(folder, 'podman.sock');
    podman = await ChildServer.start({
      name: 'Podman',
      command: 'podman',
      args: [...hostFlags(), ...storage, 'system', 'service', '--time=0', `unix://${socketPath}`],
      cwd: folder,
      env: { PATH: `${folder}:${process.env['PATH'] ?? ''}:/usr/local/sbin:/usr/sbin:/sbin` },
      isUp: () => engineAnswers(socketPath),
    });
    image = await loadTinyImage(socketPath);
  });
  afterAll(async () => {
    await image[Symbol.asyncDispose]();
    await podman.stop();
    // Podman leaves its storage mounted on itself.
    await run('umount', [join(folder, 'storage/overlay')]);
    await rm(folder, { recursive: true });
  });

  /** As by a process that is killed meanwhile: nobody watches over it. */
  async function unwatched(spec: ContainerSpec, checkpoint: string): Promise<unknown> {
    const network = networkFor(networkPlan('podman', deployment), spec.template);
    const around = { deployment, node: 'node-a', network, resolvers: ['127.0.0.1'], databaseFolders: {} };
    await using images = await cloneImages(checkpoint, spec.name);
    const archive = await restoreArchive(resolve(checkpoint), images, spec, around);
    const query = `import=true&name=${spec.name}&publishPorts=127.0.0.1:${spec.hostPort}:80&ignoreStaticIP=true`;
    const to = `/containers/${spec.name}/restore?${query}&ignoreStaticMAC=true`;
    return await libpodUpload(socketPath, to, archive, 120_000);
  }

  it('answers again although a restore hangs whose process is gone', async () => {
    const log = new LogBook();
    const options = { socketPath, deployment, node: 'node-a', resolvers: ['127.0.0.1'], log };
    const runtime = createPodmanRuntime(options);
    const checkpointing = createPodmanCheckpointing(options);
    const tiny: Template = template({ image: image.name, port: 80 });
    await runtime.prepare([tiny]);
    const source = await newSpec(tiny);
    const spec = await newSpec(tiny);
    try {
      await runtime.start(source, never);
      await untilReady(source);
      await checkpointing.untilIdle(source.name, 120_000, never);
      await checkpointing.dump(source.name, join(folder, 'tiny.tar'), DEFAULT_DUMP);
      await runtime.remove(source.name);
      const checkpoint = join(folder, 'tiny');
      await mkdir(checkpoint);
      await extract({ file: join(folder, 'tiny.tar'), cwd: checkpoint, preserveOwner: true });
      // One that is over is none that hangs, however long its container lives.
      const sound = await newSpec(tiny);
      await unwatched(sound, checkpoint);

      await writeFile(join(folder, 'hang'), '');
      const hanging = unwatched(spec, checkpoint).catch((error: unknown) => error);
      // Podman has its lock by then.
      await eventually(async () => expect(await readFile(join(folder, 'hangs'), 'utf8')).toMatch(/swrk/));
      const names = (await runtime.list()).map(({ name }) => name);
      expect(names).toContain(sound.name);
      expect(await hanging).toBeInstanceOf(Error);
      expect(log.with('What had hung and kept the engine from answering was killed')).toMatchObject([
        { fields: { containers: [spec.name] } },
      ]);
      await untilReady(sound);
      await runtime.remove(spec.name);
    } finally {
      await rm(join(folder, 'hang'), { force: true });
      await killRestore(spec.name);
      for (const { name } of await runtime.list()) await runtime.remove(name);
      expect(await runtime.unprepare()).toBe(true);
    }
  });
});
