import { createServer } from 'node:net';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Dockerode from 'dockerode';
import { afterAll, afterEach, expect, it } from 'vitest';
import { DEFAULT_PROCESS } from '../../src/domain/process-settings.ts';
import type { Template } from '../../src/domain/template.ts';
import type { ContainerSpec } from '../../src/pool/interfaces/container-runtime.ts';
import { createDockerRuntime } from '../../src/runtime/docker/docker-runtime.ts';
import { libpod } from '../../src/runtime/podman/libpod-api.ts';
import { createPodmanRuntime } from '../../src/runtime/podman/podman-runtime.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { Inside } from '../support/container-inside.ts';
import { eventually } from '../support/eventually.ts';
import { template } from '../support/templates.ts';
import { STUBBORN } from '../support/tiny-image.ts';
import type { EngineUnderTest } from './container-engine.ts';
import { newSpec, untilReady } from './container-runtime.ts';

const never = new AbortController().signal;
const MEMORY = 48 * 1024 * 1024;
const NET_BIND_SERVICE = 1n << 10n;

/** What an instance has and has not, read from its own process. */
export function hardeningContract(underTest: () => EngineUnderTest): void {
  afterEach(async () => {
    const engine = underTest().runtime();
    for (const { name } of await engine.list()) await engine.remove(name);
  });
  afterAll(async () => expect(await underTest().runtime().unprepare()).toBe(true));

  const started = async (
    overrides: Partial<Template> = {},
    spec: Partial<ContainerSpec> = {},
  ): Promise<{ spec: ContainerSpec; inside: Inside; docker: Dockerode }> => {
    const { runtime, image, socketPath } = underTest();
    const tiny = template({ image: image.name, port: image.port, ...overrides });
    const made = await newSpec(tiny, spec);
    const engine = runtime();
    await engine.prepare([tiny]);
    await engine.start(made, never);
    await untilReady(made);
    const docker = new Dockerode({ host: '', socketPath });
    return { spec: made, inside: await Inside.of(docker, made.name), docker };
  };

  it('has no capability, gains none, and is filtered by seccomp', async () => {
    const { inside } = await started();
    const status = await inside.proc('status');
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
      expect(status).toMatch(new RegExp(`^${set}:\\s+0+$`, 'm'));
    expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
    expect(status).toMatch(/^Seccomp:\s+2$/m);
  });

  it('has exactly the capabilities its template names', async () => {
    const { inside } = await started({ capabilities: ['NET_BIND_SERVICE'] });
    const bounding = /^CapBnd:\s+([0-9a-f]+)$/m.exec(await inside.proc('status'))?.[1] ?? '';
    expect(BigInt(`0x${bounding}`)).toBe(NET_BIND_SERVICE);
  });

  it('is limited in memory, processes and CPU, with no swap on top', async () => {
    const { spec, inside, docker } = await started({ limits: { memoryBytes: MEMORY, cpus: 0.5, pids: 17 } });
    expect(await inside.cgroup(['memory', 'memory.limit_in_bytes'], 'memory.max')).toBe(String(MEMORY));
    expect(await inside.cgroup(['pids', 'pids.max'], 'pids.max')).toBe('17');
    const { HostConfig } = await docker.getContainer(spec.name).inspect();
    expect(HostConfig).toMatchObject({
      Memory: MEMORY,
      MemorySwap: MEMORY,
      PidsLimit: 17,
      Privileged: false,
      AutoRemove: false,
    });
    const quota = HostConfig.NanoCpus ?? 0;
    expect(quota > 0 ? quota / 1e9 : (HostConfig.CpuQuota ?? 0) / (HostConfig.CpuPeriod ?? 1)).toBe(0.5);
  });

  it('is told of as killed for memory when its app took more, be the engine silent about it', async () => {
    const { runtime, image } = underTest();
    const command = ['/bin/sh', '-c', 'all=a; while :; do all=$all$all; done'];
    const greedy = template({ image: image.name, port: image.port, process: { ...DEFAULT_PROCESS, command } });
    const engine = runtime();
    await engine.prepare([greedy]);
    const spec = await newSpec(greedy);
    await engine.start(spec, never);
    await eventually(async () =>
      expect(await engine.inspect(spec.name)).toEqual({ running: false, exitCode: 137, oomKilled: true }),
    );
  });

  it("gives the environment of the template and of the instance, and not the instance's id", async () => {
    const { spec, inside } = await started(
      { env: { FROM_TEMPLATE: 'a=b c', BOTH: 'template' } },
      { env: { BOTH: 'instance' } },
    );
    const environment = (await inside.proc('environ')).split('\0');
    expect(environment).toEqual(expect.arrayContaining(['FROM_TEMPLATE=a=b c', 'BOTH=instance']));
    const readable = [await inside.proc('environ'), await inside.proc('mountinfo'), await inside.proc('cgroup')];
    for (const path of ['/etc/hosts', '/etc/hostname', '/etc/resolv.conf']) readable.push(await inside.file(path));
    expect(readable.join('\n')).not.toContain(spec.instanceId);
    expect((await inside.file('/etc/hostname')).trim()).toMatch(/^demo-/);
  });

  it('has a bounded /tmp and bounded logs, and IPv6 off', async () => {
    const { spec, inside, docker } = await started();
    expect(await inside.proc('mounts')).toMatch(/^tmpfs \/tmp tmpfs rw,(?=\S*nosuid)(?=\S*nodev)\S*size=32768k/m);
    const { HostConfig, Config } = await docker.getContainer(spec.name).inspect();
    expect(HostConfig.RestartPolicy?.Name).toMatch(/^(no)?$/);
    const { engine, socketPath } = underTest();
    if (engine === 'docker') expect(HostConfig.LogConfig?.Config).toEqual({ 'max-size': '1m', 'max-file': '1' });
    // Podman tells the size in its own API only.
    else
      expect(await libpod(socketPath, 'GET', `/containers/${spec.name}/json`)).toMatchObject({
        HostConfig: { LogConfig: { Size: '1MB' } },
      });
    // An engine's own shutdown, or a forced removal, waits as long as this says.
    expect((Config as { StopTimeout?: number }).StopTimeout).toBe(0);
    expect((await inside.run('cat', '/proc/net/if_inet6')).trim()).toBe('');
  });

  it('is gone although its first process ignores SIGTERM', async () => {
    const { spec } = await started({ process: { ...DEFAULT_PROCESS, command: STUBBORN } });
    await underTest().runtime().remove(spec.name);
    expect(await underTest().runtime().list()).toEqual([]);
  });

  it('names the image that is missing, when preparing and when starting', async () => {
    const engine = underTest().runtime();
    const missing = template({ name: 'shop', image: 'localhost/no-such-image:1' });
    const failure = {
      code: 'image_missing',
      message: expect.stringContaining('localhost/no-such-image:1 (template shop)') as string,
    };
    await expect(engine.prepare([missing])).rejects.toMatchObject(failure);
    await expect(engine.start(await newSpec(missing), never)).rejects.toMatchObject(failure);
    expect(await engine.list()).toEqual([]);
  });

  it('leaves the containers of others alone', async () => {
    const { socketPath, image, runtime, deployment } = underTest();
    const docker = new Dockerode({ host: '', socketPath });
    const foreign = await docker.createContainer({
      name: `foreign-${deployment}`,
      Image: image.name,
      Labels: { other: 'label' },
      HostConfig: { NetworkMode: 'none' },
    });
    try {
      expect(await runtime().list()).toEqual([]);
    } finally {
      await foreign.remove({ force: true });
    }
  });

  it('says which socket does not answer', async () => {
    const create = underTest().engine === 'podman' ? createPodmanRuntime : createDockerRuntime;
    const socketPath = join(tmpdir(), `${underTest().deployment}.sock`);
    const engine = create({ socketPath, deployment: 'test', node: 'n', log: createLogger('silent') });
    const unavailable = { code: 'engine_unavailable', message: expect.stringContaining(socketPath) as string };
    await expect(engine.prepare([])).rejects.toMatchObject(unavailable);
    await expect(engine.list()).rejects.toMatchObject(unavailable);
    await expect(engine.remove('demo-0')).rejects.toMatchObject(unavailable);
    await expect(engine.start(await newSpec(template()), never)).rejects.toMatchObject(unavailable);
    // Something listens but hangs up.
    const rude = createServer((socket) => socket.destroy()).listen(socketPath);
    try {
      await expect(engine.list()).rejects.toMatchObject(unavailable);
    } finally {
      await new Promise((resolve) => rude.close(resolve));
      await rm(socketPath, { force: true });
    }
  });
}
