import { connect, createServer } from 'node:net';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import Dockerode from 'dockerode';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Template } from '../../src/domain/template.ts';
import type { ContainerSpec } from '../../src/pool/interfaces/container-runtime.ts';
import type { EngineRuntime } from '../../src/runtime/docker/engine-runtime.ts';
import { consumptionOf } from '../hostile/consumption.ts';
import { Inside } from '../support/container-inside.ts';
import { eventually } from '../support/eventually.ts';
import { loadNodeImage } from '../support/node-image.ts';
import { template } from '../support/templates.ts';
import type { EngineUnderTest } from './container-engine.ts';
import { newSpec, untilReady } from './container-runtime.ts';

const never = new AbortController().signal;
const BUSYBOX = '/bin/busybox';
const MEMORY = 96 * 2 ** 20;
const THREADED_MEMORY = 384 * 2 ** 20;
/** Asks a thread of its own for what it answers. */
const THREADED = `
const { Worker } = require('node:worker_threads');
const said = "const { parentPort, threadId } = require('node:worker_threads');" +
  "parentPort.postMessage('said by thread ' + threadId)";
new Worker(said, { eval: true }).once('message', (text) =>
  require('node:http').createServer((_, response) => response.end(text)).listen(80),
);
`;
/** What gVisor's kernel begins its messages with. */
const GVISOR = 'Starting gVisor';

/** What runs in a kernel of its own, by `runtime: runsc`, is as any other instance to whoever starts and uses it. */
export function sandboxContract(underTest: () => EngineUnderTest): void {
  let engine: EngineRuntime;
  let of: Template;
  let spec: ContainerSpec;

  beforeAll(async () => {
    const { image, runtime } = underTest();
    of = template({
      image: image.name,
      port: image.port,
      runtime: 'runsc',
      env: { FROM: 'template' },
      limits: { memoryBytes: MEMORY, cpus: 1, pids: 32 },
    });
    engine = runtime();
    await engine.prepare([of]);
    spec = await newSpec(of);
    await engine.start(spec, never);
    await untilReady(spec);
  });
  afterAll(async () => {
    for (const { name } of await engine.list()) await engine.remove(name);
    expect(await engine.unprepare()).toBe(true);
    await engine.close();
  });

  const sh = async (script: string): Promise<string> =>
    (
      await engine.exec(
        spec.name,
        { command: ['/bin/sh', '-c', script], env: { SEED: 'x y' }, timeoutMs: 60_000 },
        never,
      )
    ).output;

  it('answers on its port from a kernel of its own, and is listed', async () => {
    expect(await sh(`${BUSYBOX} dmesg`)).toContain(GVISOR);
    expect(await engine.list()).toEqual([{ name: spec.name, instanceId: spec.instanceId, running: true }]);
    expect(await engine.inspect(spec.name)).toEqual({ running: true });
  });

  it('runs commands in it, and hands out what they write', async () => {
    const call = { command: ['/bin/sh', '-c', 'echo "$FROM $SEED"; exit 7'], env: { SEED: 'x y' }, timeoutMs: 60_000 };
    expect(await engine.exec(spec.name, call, never)).toEqual({ exitCode: 7, output: 'template x y\n' });
    const { stdout, result } = await engine.output(spec.name, [BUSYBOX, 'echo', 'taken home'], never);
    expect((await buffer(stdout)).toString()).toBe('taken home\n');
    expect((await result()).exitCode).toBe(0);
  });

  it('has no capability, no filter that would keep it from starting threads, and bounded folders', async () => {
    const status = await sh(`${BUSYBOX} cat /proc/1/status`);
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd'])
      expect(status).toMatch(new RegExp(`^${set}:\\s+0+$`, 'm'));
    expect(status).toMatch(/^Seccomp:\s+0$/m);
    expect(await sh(`${BUSYBOX} mount`)).toMatch(/ \/tmp type tmpfs \(rw\S*size=/);
    expect(await sh(`echo x > /etc/hosts && echo written`)).not.toContain('written');
  });

  it('is limited from outside as any other', async () => {
    const { socketPath } = underTest();
    const docker = new Dockerode({ host: '', socketPath });
    const inside = await Inside.of(docker, spec.name);
    expect(await inside.cgroup(['memory', 'memory.limit_in_bytes'], 'memory.max')).toBe(String(MEMORY));
    const { HostConfig } = await docker.getContainer(spec.name).inspect();
    expect(HostConfig).toMatchObject({ Memory: MEMORY, MemorySwap: MEMORY, Privileged: false, AutoRemove: false });
    const quota = HostConfig.NanoCpus ?? 0;
    expect(quota > 0 ? quota / 1e9 : (HostConfig.CpuQuota ?? 0) / (HostConfig.CpuPeriod ?? 1)).toBe(1);
    // Its own processes are the sandbox's secret; what it takes of the host is not.
    const seen = await engine.inside(spec.name);
    expect(seen).toMatchObject({ listening: undefined, users: undefined, oomKills: 0 });
    expect(seen?.memoryBytes).toBeGreaterThan(0);
    expect(await readFile(`/proc/${inside.pid}/cmdline`, 'utf8')).toMatch(/^runsc-sandbox\0/);
  });

  it('reaches neither the host nor a neighbour', async () => {
    const docker = new Dockerode({ host: '', socketPath: underTest().socketPath });
    const networks = (await docker.getContainer(spec.name).inspect()).NetworkSettings.Networks;
    const gateway = Object.values(networks)[0]?.Gateway ?? '';
    expect(gateway).toMatch(/^\d+\./);
    const neighbour = await newSpec(of);
    await engine.start(neighbour, never);
    await untilReady(neighbour);
    const other = await Inside.of(docker, neighbour.name);
    const listener = createServer((socket) => socket.end('HTTP/1.0 200 OK\r\n\r\nhost')).listen(0, '0.0.0.0');
    await once(listener, 'listening');
    try {
      const { port } = listener.address() as { port: number };
      // Nothing that looks names up: a static busybox crashes there.
      const get = async (address: string, at: number): Promise<'open' | 'shut'> => {
        const said = await sh(`echo x | ${BUSYBOX} nc -w 3 ${address} ${at}`);
        return said.includes('HTTP/1') || said.includes('<HTML>') ? 'open' : 'shut';
      };
      // What it does reach shows that the question can be answered.
      expect(await get('127.0.0.1', of.port)).toBe('open');
      expect(await Promise.all([get(gateway, port), get(other.address, of.port)])).toEqual(['shut', 'shut']);
    } finally {
      listener.close();
      await engine.remove(neighbour.name);
    }
  });

  it('is seen to be in use while a connection to it is open', async () => {
    const { engine: name, socketPath, deployment } = underTest();
    const consumption = await consumptionOf(name, socketPath, deployment);
    const visitor = connect(spec.hostPort, '127.0.0.1');
    await once(visitor, 'connect');
    expect(await consumption.isConnected(spec.name, of.port)).toBe(true);
    visitor.destroy();
    await eventually(async () => expect(await consumption.isConnected(spec.name, of.port)).toBe(false));
    expect(await consumption.cpuMs(spec.name)).toBeGreaterThan(0);
  });

  it('runs programs that have threads', async () => {
    const { socketPath } = underTest();
    await using image = await loadNodeImage(socketPath, THREADED);
    const limits = { memoryBytes: THREADED_MEMORY, cpus: 1, pids: 32 };
    const threaded = await newSpec(template({ image: image.name, port: image.port, runtime: 'runsc', limits }));
    await engine.prepare([threaded.template]);
    await engine.start(threaded, never);
    try {
      await untilReady(threaded);
      expect(await (await fetch(`http://127.0.0.1:${threaded.hostPort}/`)).text()).toBe('said by thread 1');
    } finally {
      await engine.remove(threaded.name);
    }
  });

  it('ends alone when it makes more processes than it may', async () => {
    await engine
      .exec(
        spec.name,
        { command: ['/bin/sh', '-c', 'bomb() { bomb | bomb & }; bomb; wait'], env: {}, timeoutMs: 20_000 },
        never,
      )
      .catch(() => undefined);
    await eventually(async () => expect(await engine.inspect(spec.name)).toMatchObject({ running: false }));
    await engine.remove(spec.name);
    expect(await engine.list()).toEqual([]);
  });
}
