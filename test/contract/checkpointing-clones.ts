import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Dockerode from 'dockerode';
import { extract } from 'tar';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { EGRESS } from '../../src/domain/egress.ts';
import { DEFAULT_PROCESS } from '../../src/domain/process-settings.ts';
import { DEFAULT_DUMP, type Template } from '../../src/domain/template.ts';
import type { Checkpointing, OpenCheckpoint } from '../../src/pool/interfaces/checkpointing.ts';
import type { ContainerRuntime, ContainerSpec } from '../../src/pool/interfaces/container-runtime.ts';
import { libpod } from '../../src/runtime/podman/libpod-api.ts';
import { eventually } from '../support/eventually.ts';
import { Inside } from '../support/container-inside.ts';
import { template } from '../support/templates.ts';
import { loadTinyImage, type TinyImage } from '../support/tiny-image.ts';
import type { CheckpointingUnderTest } from './checkpointing.ts';
import { mounts } from './container-surroundings.ts';
import { newSpec, untilReady } from './container-runtime.ts';

const never = new AbortController().signal;

/**
 * That a clone may do what a cold start of the same spec may, no more and no less, also where
 * the checkpoint is another deployment's.
 */
export function cloneContract(underTest: () => CheckpointingUnderTest): void {
  let docker: Dockerode;
  let image: TinyImage;
  let folder: string;
  let runtime: ContainerRuntime;
  let other: ContainerRuntime;
  let checkpointing: Checkpointing;
  const releases: (() => unknown)[] = [];

  const tiny = (overrides: Partial<Template> = {}): Template =>
    template({
      image: image.name,
      port: image.port,
      env: { FROM: 'template' },
      process: {
        ...DEFAULT_PROCESS,
        tmpfs: { '/run': 2 ** 20 },
        shmBytes: 3 * 2 ** 20,
        sysctls: { 'net.core.somaxconn': '321' },
      },
      limits: { memoryBytes: 48 * 1024 * 1024, cpus: 0.5, pids: 17 },
      ...overrides,
    });

  beforeAll(async () => {
    docker = new Dockerode({ host: '', socketPath: underTest().socketPath });
    image = await loadTinyImage(underTest().socketPath, undefined, ['/data']);
    releases.push(() => image[Symbol.asyncDispose]());
    folder = await mkdtemp(join(tmpdir(), 'tin-clones-'));
    releases.push(() => rm(folder, { recursive: true }));
    runtime = underTest().runtime();
    other = underTest().runtime(`${underTest().deployment}-elsewhere`, 'node-b');
    checkpointing = underTest().checkpointing();
    for (const each of [runtime, other]) {
      releases.push(async () => {
        for (const { name } of await each.list()) await each.remove(name);
        expect(await each.unprepare()).toBe(true);
      });
      await each.prepare([tiny(), tiny({ egress: EGRESS })]);
    }
  });
  afterEach(async () => {
    for (const { name } of await runtime.list()) await runtime.remove(name);
  });
  afterAll(async () => {
    const failures: unknown[] = [];
    for (const release of releases.reverse()) {
      try {
        await release();
      } catch (error) {
        failures.push(error);
      }
    }
    expect(failures).toEqual([]);
  });

  const started = async (of: Template, where = runtime): Promise<ContainerSpec> => {
    const spec = await newSpec(of);
    await where.start(spec, never);
    await untilReady(spec);
    return spec;
  };
  const checkpoint = async (of: Template, name: string): Promise<OpenCheckpoint> => {
    // Made elsewhere, as one that was copied here.
    const source = await started(of, other);
    await checkpointing.untilIdle(source.name, 120_000, never);
    await checkpointing.dump(source.name, join(folder, `${name}.tar`), DEFAULT_DUMP);
    await other.remove(source.name);
    const unpacked = join(folder, name);
    await mkdir(unpacked);
    await extract({ file: join(folder, `${name}.tar`), cwd: unpacked, preserveOwner: true });
    return { id: '0123456789abcdef', folder: unpacked, fileLocks: false };
  };
  const restored = async (of: Template, from: OpenCheckpoint): Promise<ContainerSpec> => {
    const spec = await newSpec(of);
    await checkpointing.restore(spec, from, never);
    await untilReady(spec);
    return spec;
  };

  it.each([
    ['closed', undefined],
    ['egress', EGRESS],
  ])('is to the engine and to the kernel what a cold start is (%s)', async (name, egress) => {
    const of = tiny({ egress, capabilities: ['NET_BIND_SERVICE'] });
    const from = await checkpoint(of, name);
    const [cold, clone] = [await started(of), await restored(of, from)];
    const facts = await Promise.all([cold, clone].map((spec) => described(underTest().socketPath, docker, spec)));
    expect(facts[1]).toEqual(facts[0]);
    // Of what is compared, so that nothing equals nothing.
    expect(facts[0]).toMatchObject({
      labels: {
        'try-it-now.instance': 'the instance',
        'try-it-now.deployment': underTest().deployment,
        'try-it-now.node': 'node-a',
      },
      limits: { Memory: 48 * 1024 * 1024, PidsLimit: 17 },
      status: expect.stringMatching(/CapBnd:\s+0+400\b/) as string,
      memory: String(48 * 1024 * 1024),
      networks: [expect.stringContaining(`-${name}-`)],
      mounts: {
        '/tmp': 'tmpfs rw nosuid nodev size=24576k',
        '/run': 'tmpfs rw nosuid nodev size=1024k',
        '/dev/shm': 'tmpfs rw nosuid nodev noexec size=3072k',
      },
      firstProcess: expect.stringMatching(/^.run.podman-init/) as string,
    });
  });

  it('reaches neither another instance nor the host, and is reached by its published port alone', async () => {
    const host: Server = createServer((_, response) => response.end('host')).listen(0, '0.0.0.0');
    try {
      const from = await checkpoint(tiny(), 'isolated');
      const [cold, one, two] = [await started(tiny()), await restored(tiny(), from), await restored(tiny(), from)];
      const inside = await Promise.all([cold, one, two].map(async ({ name }) => Inside.of(docker, name)));
      expect(new Set(inside.map(({ address }) => address)).size).toBe(3);
      const { port } = host.address() as AddressInfo;
      const asked = inside.slice(1).map(async (each) => {
        // Itself it reaches: the question can be answered from there.
        await eventually(async () => expect(await each.reaches(each.address, 80)).toBe(true));
        const others = inside.filter((to) => to !== each).map(({ address }) => each.reaches(address, 80));
        return {
          others: await Promise.all([...others, each.gateway().then((gateway) => each.reaches(gateway, port))]),
          ipv6: (await each.run('cat', '/proc/net/if_inet6')).trim(),
        };
      });
      const isolated = { others: [false, false, false], ipv6: '' };
      expect(await Promise.all(asked)).toEqual([isolated, isolated]);
      for (const spec of [cold, one, two]) await untilReady(spec);
    } finally {
      await new Promise((resolve) => host.close(resolve));
    }
  });

  it("has anonymous volumes of its own with the source's content, which go with it", async () => {
    const volumes = async (): Promise<string[]> => (await docker.listVolumes()).Volumes.map(({ Name }) => Name);
    const volumesOf = async ({ name }: ContainerSpec): Promise<string[]> =>
      (await docker.getContainer(name).inspect()).Mounts.flatMap(({ Name }) => (Name === undefined ? [] : [Name]));
    const source = await started(tiny());
    const own = await volumesOf(source);
    const run = async ({ name }: ContainerSpec, script: string): Promise<string> =>
      (
        await runtime.exec(name, { command: ['/bin/sh', '-c', script], env: {}, timeoutMs: 20_000 }, never)
      ).output.trim();
    await run(source, 'echo from the source > /data/note');
    await checkpointing.dump(source.name, join(folder, 'volumes.tar'), DEFAULT_DUMP);
    await runtime.remove(source.name);
    await mkdir(join(folder, 'volumes'));
    await extract({ file: join(folder, 'volumes.tar'), cwd: join(folder, 'volumes'), preserveOwner: true });
    const from = { id: '0123456789abcdef', folder: join(folder, 'volumes'), fileLocks: false };
    const [one, two] = [await restored(tiny(), from), await restored(tiny(), from)];
    await run(one, 'echo from one > /data/note');
    expect(await run(one, '/bin/busybox cat /data/note')).toBe('from one');
    expect(await run(two, '/bin/busybox cat /data/note')).toBe('from the source');
    own.push(...(await volumesOf(one)), ...(await volumesOf(two)));
    expect(new Set(own).size).toBe(3);
    expect((await volumes()).filter((name) => own.includes(name)).sort()).toEqual(own.slice(1).sort());
    for (const { name } of [one, two]) await runtime.remove(name);
    expect((await volumes()).filter((name) => own.includes(name))).toEqual([]);
  });
}

/** What the engine and the kernel say of a container, without what is each container's own. */
async function described(
  socketPath: string,
  docker: Dockerode,
  { name, instanceId = '', hostPort }: ContainerSpec,
): Promise<object> {
  const { HostConfig, Config } = await docker.getContainer(name).inspect();
  const own = (await libpod(socketPath, 'GET', `/containers/${name}/json`)) as {
    HostConfig: { LogConfig: object; Ulimits: object };
    NetworkSettings: { Networks: object; Ports: object };
    BoundingCaps: unknown;
    Config: { StopSignal: number; StopTimeout: number };
  };
  const inside = await Inside.of(docker, name);
  const status = (await inside.proc('status'))
    .split('\n')
    .filter((line) => /^(Cap|NoNewPrivs|Seccomp|Uid|Gid)/.test(line))
    .join('\n');
  const neutral = (text: string): string =>
    text
      .replaceAll(name, 'the name')
      .replaceAll(instanceId, 'the instance')
      .replaceAll(new RegExp(`\\b${hostPort}\\b`, 'g'), 'the port')
      .replaceAll(inside.address, 'the address')
      .replaceAll(/\b[0-9a-f]{64}:/g, 'its volume:')
      .replaceAll(/seccomp=\/proc\/\d+\/fd\/\d+/g, 'the filter');
  return JSON.parse(
    neutral(
      JSON.stringify({
        labels: Config.Labels,
        environment: [...Config.Env].sort(),
        stop: [own.Config.StopSignal, own.Config.StopTimeout],
        limits: Object.fromEntries(
          Object.entries(HostConfig).filter(([key]) =>
            [
              'Memory',
              'MemorySwap',
              'NanoCpus',
              'CpuQuota',
              'CpuPeriod',
              'PidsLimit',
              'OomScoreAdj',
              'Privileged',
              'RestartPolicy',
              'AutoRemove',
              'CapAdd',
              'CapDrop',
              'SecurityOpt',
              'Dns',
              'DnsSearch',
              'Binds',
              'Tmpfs',
            ].includes(key),
          ),
        ),
        ulimits: own.HostConfig.Ulimits,
        log: { ...own.HostConfig.LogConfig, Path: '' },
        ports: own.NetworkSettings.Ports,
        networks: Object.keys(own.NetworkSettings.Networks),
        bounding: own.BoundingCaps,
        status,
        oom: await inside.proc('oom_score_adj'),
        rlimits: await inside.proc('limits'),
        memory: await inside.cgroup(['memory', 'memory.limit_in_bytes'], 'memory.max'),
        pids: await inside.cgroup(['pids', 'pids.max'], 'pids.max'),
        cpu: await inside.cgroup(['cpu', 'cpu.cfs_quota_us'], 'cpu.max'),
        mounts: await mounts(inside),
        firstProcess: await inside.proc('cmdline'),
        sysctl: [
          await inside.run('cat', '/proc/sys/net/ipv4/ip_unprivileged_port_start'),
          await inside.run('cat', '/proc/sys/net/ipv6/conf/all/disable_ipv6'),
          await inside.run('cat', '/proc/sys/net/core/somaxconn'),
          await inside.run('cat', '/proc/sys/net/ipv4/ping_group_range'),
        ],
        files: await Promise.all(['/etc/hostname', '/etc/resolv.conf', '/etc/hosts'].map((path) => inside.file(path))),
        readOnly: (await inside.proc('mountinfo'))
          .split('\n')
          .map((line) => line.split(' '))
          .filter(([, , , , , options = '']) => options.split(',').includes('ro'))
          .map(([, , , , at]) => at)
          .sort(),
      }),
    ),
  ) as object;
}
