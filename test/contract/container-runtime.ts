import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { request } from 'undici';
import { containerName, newInstanceId } from '../../src/domain/ids.ts';
import type { Template } from '../../src/domain/template.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import type { ContainerRuntime, ContainerSpec, ContainerSummary } from '../../src/pool/interfaces/container-runtime.ts';
import { HttpProbe } from '../../src/runtime/readiness/http-probe.ts';
import { eventually } from '../support/eventually.ts';

export interface RuntimeUnderTest {
  /** A new runtime for this deployment and node. */
  readonly runtime: (deployment: string, node: string) => ContainerRuntime;
  readonly deployment: string;
  readonly template: () => Template;
  /** Has the app in the container write a line that ends in this text. */
  readonly says: (spec: ContainerSpec, text: string) => Promise<void>;
  /** The ends that come behind our back. */
  readonly accidents: {
    /** The app's process ends; the engine still knows the container. */
    readonly crash: (name: string) => Promise<void>;
    /** Somebody else removes it by the engine's own means. */
    readonly removeByForce: (name: string) => Promise<void>;
  };
}

const never = new AbortController().signal;

/** The spec of a new instance on a free port. */
export async function newSpec(template: Template, overrides: Partial<ContainerSpec> = {}): Promise<ContainerSpec> {
  const instanceId = newInstanceId();
  return {
    name: containerName(instanceId, 'test'),
    instanceId,
    template,
    hostPort: await freePort(),
    env: {},
    ...overrides,
  };
}

export async function untilReady({ hostPort, template }: ContainerSpec): Promise<void> {
  const { readiness } = template;
  const path = readiness.kind === 'http' ? readiness.path : '/';
  await new HttpProbe().untilOk({ url: `http://127.0.0.1:${hostPort}${path}`, timeoutMs: readiness.timeoutMs }, never);
}

/** Nobody listens there any more, as soon as the engine's own part has let the port go. */
async function refused(port: number): Promise<void> {
  const asked = { headersTimeout: 5_000 };
  await eventually(() => expect(request(`http://127.0.0.1:${port}/`, asked)).rejects.toThrow('ECONNREFUSED'));
}

/** What every engine promises. */
export function containerRuntimeContract(underTest: RuntimeUnderTest): void {
  const { template, deployment } = underTest;
  const used = new Map<string, ContainerRuntime>();
  const runtime = (of = deployment, node = 'node-a'): ContainerRuntime => {
    const key = `${of} ${node}`;
    const made = used.get(key) ?? underTest.runtime(of, node);
    used.set(key, made);
    return made;
  };

  const watches: AbortController[] = [];

  afterEach(async () => {
    for (const watch of watches.splice(0)) watch.abort();
    for (const each of used.values()) for (const { name } of await each.list()) await each.remove(name);
  });
  afterAll(async () => {
    for (const each of used.values()) {
      expect(await each.unprepare()).toBe(true);
      await each.close();
    }
  });

  it('starts an instance that answers on its port, lists it, and removes it', async () => {
    const engine = runtime();
    await engine.prepare([template()]);
    const spec = await newSpec(template());
    await engine.start(spec, never);
    await untilReady(spec);
    expect(await engine.list()).toEqual([{ name: spec.name, instanceId: spec.instanceId, running: true }]);
    await engine.remove(spec.name);
    expect(await engine.list()).toEqual([]);
    await refused(spec.hostPort);
  });

  it('publishes on 127.0.0.1 and on no other address', async () => {
    const engine = runtime();
    await engine.prepare([template()]);
    const spec = await newSpec(template());
    await engine.start(spec, never);
    await untilReady(spec);
    // Every address of 127.0.0.0/8 is the host's own: a port open on all addresses would answer here.
    await expect(request(`http://127.0.0.2:${spec.hostPort}/`)).rejects.toThrow('ECONNREFUSED');
  });

  it('replaces anything that has the name already', async () => {
    const engine = runtime();
    await engine.prepare([template()]);
    const first = await newSpec(template());
    await engine.start(first, never);
    const second = { ...first, hostPort: await freePort() };
    await engine.start(second, never);
    await untilReady(second);
    await engine.start(second, never);
    await untilReady(second);
    expect(await engine.list()).toHaveLength(1);
    await refused(first.hostPort);
  });

  it('removes what is not there, or is being removed by somebody else', async () => {
    const engine = runtime();
    await engine.prepare([template()]);
    await engine.remove('demo-0000000000000000');
    const spec = await newSpec(template());
    await engine.start(spec, never);
    await Promise.all([engine.remove(spec.name), engine.remove(spec.name), engine.remove(spec.name)]);
    expect(await engine.list()).toEqual([]);
    await engine.remove(spec.name);
  });

  it('frees the port for the next instance', async () => {
    const engine = runtime();
    await engine.prepare([template()]);
    const first = await newSpec(template());
    await engine.start(first, never);
    await engine.remove(first.name);
    const second = await newSpec(template(), { hostPort: first.hostPort });
    await engine.start(second, never);
    await untilReady(second);
  });

  it('fails plainly on a port in use, and leaves nothing behind', async () => {
    const engine = runtime();
    await engine.prepare([template()]);
    const first = await newSpec(template());
    await engine.start(first, never);
    const second = await newSpec(template(), { hostPort: first.hostPort });
    await expect(engine.start(second, never)).rejects.toMatchObject({
      code: 'container_failed',
      message: expect.stringMatching(/address already in use|port is already allocated/) as string,
    });
    expect((await engine.list()).map(({ name }) => name)).toEqual([first.name]);
    await untilReady(first);
  });

  it('stops at the signal, and leaves nothing behind', async () => {
    const engine = runtime();
    await engine.prepare([template()]);
    const spec = await newSpec(template());
    const abort = new AbortController();
    const started = engine.start(spec, abort.signal);
    abort.abort(new Error('the task was taken away'));
    await expect(started).rejects.toThrow('the task was taken away');
    expect(await engine.list()).toEqual([]);
  });

  it('lists the containers of its own deployment and node only', async () => {
    const mine = runtime(deployment, 'node-a');
    const others = [runtime(deployment, 'node-b'), runtime(`${deployment}-2`, 'node-a')];
    const specs = new Map<ContainerRuntime, ContainerSpec>();
    for (const engine of [mine, ...others]) {
      await engine.prepare([template()]);
      const spec = await newSpec(template());
      await engine.start(spec, never);
      specs.set(engine, spec);
    }
    for (const [engine, spec] of specs)
      expect(await engine.list()).toEqual([{ name: spec.name, instanceId: spec.instanceId, running: true }]);
  });

  it('says whether a container runs, and how it ended', async () => {
    const engine = runtime();
    const spec = await newSpec(template());
    await engine.prepare([spec.template]);
    expect(await engine.inspect(spec.name)).toBeUndefined();
    await engine.start(spec, never);
    await untilReady(spec);
    expect(await engine.inspect(spec.name)).toEqual({ running: true });
    // Simulated containers have no inside.
    const inside = await engine.inside(spec.name);
    if (engine.engine !== 'simulated') {
      expect(inside?.oomKills).toBe(0);
      expect(inside?.listening?.map(({ port }) => port)).toContain(spec.template.port);
    }
    await underTest.accidents.crash(spec.name);
    await eventually(async () =>
      expect(await engine.inspect(spec.name)).toMatchObject({ running: false, oomKilled: false }),
    );
    expect(await engine.inside(spec.name)).toBeUndefined();
  });

  it('runs a command in the container it names, and in no other', async () => {
    const engine = runtime();
    await engine.prepare([template()]);
    const specs = [await newSpec(template()), await newSpec(template())];
    const answers = [];
    for (const spec of specs) {
      await engine.start(spec, never);
      answers.push(
        await engine.exec(spec.name, { command: ['/bin/busybox', 'hostname'], env: {}, timeoutMs: 20_000 }, never),
      );
    }
    expect(answers).toEqual(
      specs.map(({ name }) => ({ exitCode: 0, output: expect.stringContaining(name) as string })),
    );
    const [{ name } = { name: '' }] = specs;
    await engine.remove(name);
    await expect(
      engine.exec(name, { command: ['/bin/busybox', 'true'], env: {}, timeoutMs: 20_000 }, never),
    ).rejects.toMatchObject({ code: 'container_failed', message: expect.stringContaining(name) as string });
    await expect(
      engine.exec(
        name,
        { command: ['/bin/busybox', 'true'], env: {}, timeoutMs: 20_000 },
        AbortSignal.abort(new Error('taken away')),
      ),
    ).rejects.toThrow('taken away');
  });

  it("shows the last lines of what a container wrote, and no other's", async () => {
    const engine = runtime();
    await engine.prepare([template()]);
    const [mine, other] = [await newSpec(template()), await newSpec(template())];
    for (const spec of [mine, other]) {
      await engine.start(spec, never);
      await untilReady(spec);
    }
    await underTest.says(other, 'other');
    for (const text of ['first', 'second', 'third']) await underTest.says(mine, text);
    const endings = async (tail: number): Promise<(string | undefined)[]> =>
      (await engine.logs(mine.name, tail))
        .trimEnd()
        .split('\n')
        .map((line) => line.split(/[ /]/).at(-1));
    await eventually(async () => expect(await endings(2)).toEqual(['second', 'third']));
    expect((await endings(1_000)).slice(-3)).toEqual(['first', 'second', 'third']);
    await engine.remove(mine.name);
    await expect(engine.logs(mine.name, 2)).rejects.toMatchObject({
      code: 'container_failed',
      message: expect.stringContaining(mine.name) as string,
    });
  });

  it('lists what is no instance with the time it is kept until', async () => {
    const engine = runtime();
    await engine.prepare([template()]);
    const spec = await newSpec(template(), { instanceId: undefined, keepUntilMs: 1_800_000_000_123 });
    await engine.start(spec, never);
    expect(await engine.list()).toEqual([
      { name: spec.name, instanceId: undefined, keepUntilMs: 1_800_000_000_123, running: true },
    ]);
  });

  describe('tells of those that end', () => {
    /** Watches until the test is over; `names` are those told so far. */
    const watching = (
      engine: ContainerRuntime,
    ): { readonly told: ContainerSummary[]; readonly stop: () => Promise<void> } => {
      const abort = new AbortController();
      watches.push(abort);
      const told: ContainerSummary[] = [];
      const ended = engine.watch((container) => told.push(container), abort.signal);
      return {
        told,
        stop: () => {
          abort.abort();
          return ended;
        },
      };
    };
    const started = async (
      engine: ContainerRuntime,
      overrides: Partial<ContainerSpec> = {},
    ): Promise<ContainerSpec> => {
      await engine.prepare([template()]);
      const spec = await newSpec(template(), overrides);
      await engine.start(spec, never);
      return spec;
    };
    const asGone = ({ name, instanceId }: ContainerSpec): ContainerSummary => ({ name, instanceId, running: false });

    it('by themselves, or removed by whomever, and of no others', async () => {
      const engine = runtime();
      const others = [runtime(deployment, 'node-b'), runtime(`${deployment}-2`, 'node-a')];
      const [crashed, removedByForce, removed, alive] = [
        await started(engine),
        await started(engine),
        await started(engine),
        await started(engine),
      ];
      const elsewhere = [];
      for (const other of others) elsewhere.push(await started(other));
      const { told, stop } = watching(engine);
      const tells = (spec: ContainerSpec): Promise<void> => eventually(() => expect(told).toContainEqual(asGone(spec)));
      for (const { name } of elsewhere) await underTest.accidents.crash(name);
      await underTest.accidents.crash(crashed.name);
      await tells(crashed);
      // Docker tells before it takes note of it itself.
      await eventually(async () => expect(await engine.list()).toContainEqual(asGone(crashed)));
      await underTest.accidents.removeByForce(removedByForce.name);
      await tells(removedByForce);
      await engine.remove(removed.name);
      await tells(removed);
      expect(new Set(told.map(({ name }) => name))).toEqual(
        new Set([crashed, removedByForce, removed].map(({ name }) => name)),
      );
      await untilReady(alive);
      await stop();
    });

    it('with the time that what is no instance is kept until', async () => {
      const engine = runtime();
      const spec = await started(engine, { instanceId: undefined, keepUntilMs: 1_800_000_000_123 });
      const { told, stop } = watching(engine);
      await underTest.accidents.crash(spec.name);
      await eventually(() => expect(told).toContainEqual({ ...asGone(spec), keepUntilMs: 1_800_000_000_123 }));
      await stop();
    });

    it('from the call on, and no longer than the signal allows', async () => {
      const engine = runtime();
      const [first, second] = [await started(engine), await started(engine)];
      const { told, stop } = watching(engine);
      // At once: the engine cannot have heard of the watch yet.
      await underTest.accidents.crash(first.name);
      await eventually(() => expect(told).toContainEqual(asGone(first)));
      await stop();
      const others = watching(engine);
      await underTest.accidents.crash(second.name);
      await eventually(() => expect(others.told).toContainEqual(asGone(second)));
      await others.stop();
      expect(told.map(({ name }) => name)).not.toContain(second.name);
      await engine.watch(() => undefined, AbortSignal.abort());
    });
  });

  it('takes its own things off the host only when no instance is left, and makes them again', async () => {
    const engine = runtime();
    await engine.prepare([template()]);
    const spec = await newSpec(template());
    await engine.start(spec, never);
    expect(await engine.unprepare()).toBe(false);
    await untilReady(spec);
    await engine.remove(spec.name);
    expect(await engine.unprepare()).toBe(true);
    expect(await engine.unprepare()).toBe(true);
    await engine.prepare([template()]);
    await engine.prepare([template()]);
    await engine.start(spec, never);
    await untilReady(spec);
  });

  it('starts many at once', async () => {
    const engine = runtime();
    await engine.prepare([template()]);
    const specs = await Promise.all(Array.from({ length: 6 }, () => newSpec(template())));
    await Promise.all(specs.map((spec) => engine.start(spec, never)));
    await Promise.all(specs.map(untilReady));
    await Promise.all(specs.map(({ name }) => engine.remove(name)));
    expect(await engine.list()).toEqual([]);
  });
}
