import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis as Valkey } from 'iovalkey';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRuntime } from '../../src/composition/engines.ts';
import { diagnose } from '../../src/cli/doctor/command.ts';
import { loadConfig } from '../../src/config/load.ts';
import { launchPodman, type LaunchedPodman } from '../../src/runtime/podman/launch.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { launchValkey, type LaunchedValkey } from '../../src/launcher/valkey.ts';
import { loadEngine } from '../../src/runtime/engines.ts';
import { about, containing, matching } from '../support/diagnoses.ts';
import { titleFor, uniqueDeployment, whyWithout } from '../support/container-engine.ts';
import { silent } from '../support/store.ts';
import { suspend } from '../support/suspend.ts';
import { loadTinyImage, type TinyImage } from '../support/tiny-image.ts';

describe.skipIf(whyWithout('podman') !== undefined)(titleFor('podman'), () => {
  let folder: string;
  let podman: LaunchedPodman;
  let image: TinyImage;
  let valkey: LaunchedValkey;
  let env: Readonly<Record<string, string>>;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tin-doctor-engine-'));
    [podman, valkey] = await Promise.all([
      launchPodman({ socketPath: join(folder, 'podman.sock') }),
      launchValkey({ dir: folder }),
    ]);
    image = await loadTinyImage(podman.socketPath);
    const [nats, admin] = [await freePort(), await freePort()];
    env = {
      CONTAINER_MODE: 'podman',
      PODMAN_SOCKET: podman.socketPath,
      CONTAINER_IMAGE: image.name,
      CONTAINER_PORT: '80',
      DEPLOYMENT: uniqueDeployment(),
      VALKEY_ADDR: valkey.address,
      NATS_URL: `nats://127.0.0.1:${nats}`,
      CADDY_ADMIN_URL: `http://127.0.0.1:${admin}`,
      CHECKPOINT_DIR: join(folder, 'checkpoints'),
      SERVER_PORT: String(await freePort()),
    };
  });
  afterAll(async () => {
    // The trial of a checkpoint has put the deployment's network and rules in place.
    await createRuntime(await loadEngine('podman'), loadConfig(env).config, silent).unprepare();
    await image[Symbol.asyncDispose]();
    await podman[Symbol.asyncDispose]();
    await valkey[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });
  it('tells what the engine is, has the image, and tries a checkpoint', async () => {
    const found = await diagnose(env);
    const engine = found.filter(({ part }) => part === 'Engine');
    expect(engine.filter(({ verdict }) => verdict === 'failure')).toEqual([]);
    expect(engine.map(({ what, verdict }) => [what, verdict])).toEqual([
      ['socket', 'ok'],
      ['answers', 'ok'],
      ['runtime', matching(/ok|warning/)],
      ['system calls', 'ok'],
      ['isolation', 'ok'],
      ['limits of instances', 'ok'],
      ['image of default', 'ok'],
      ['users', 'warning'],
    ]);
    expect(about(found, 'Disk', 'engine')).toMatchObject({ seen: containing('GiB free at') });
    expect(about(found, 'CRIU', 'available')?.seen).toMatch(/dumped and restored|start cold/);
  });

  it('pool not replenishing, since image and promoted checkpoint are not on this node', async () => {
    const client = new Valkey(Number(valkey.address.split(':')[1]), '127.0.0.1');
    try {
      await client.lpush('checkpoints:default', 'abcdef0123456789');
      const found = await diagnose({ ...env, CONTAINER_IMAGE: 'localhost/never-pulled:1' });
      expect(about(found, 'Engine', 'image of default')).toMatchObject({
        verdict: 'failure',
        seen: 'Podman does not have localhost/never-pulled:1',
        remedy: containing('podman pull localhost/never-pulled:1'),
      });
      expect(about(found, 'CRIU', 'checkpoint of default')).toMatchObject({
        verdict: 'failure',
        seen: containing('cannot be used on this node'),
        remedy: containing(`${env['CHECKPOINT_DIR'] ?? ''}/default`),
      });
    } finally {
      client.disconnect();
    }
  });

  it('no engine: the socket is missing, or what answered on it hangs', async () => {
    const cold = { ...env, CRIU_ENABLED: 'false' };
    const remedy = containing('systemctl enable --now try-it-now-podman');
    expect(
      about(await diagnose({ ...cold, PODMAN_SOCKET: join(folder, 'none.sock') }), 'Engine', 'socket'),
    ).toMatchObject({ verdict: 'failure', seen: containing('ENOENT'), remedy });
    await suspend(podman.server);
    try {
      const found = await diagnose(cold);
      expect(about(found, 'Engine', 'answers')).toMatchObject({
        verdict: 'failure',
        seen: containing('no answer within 12 s'),
        remedy,
      });
      expect(about(found, 'Engine', 'image of default')).toMatchObject({ verdict: 'not_looked_at' });
    } finally {
      podman.server.signal('SIGCONT');
    }
  });
});
