import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import Dockerode from 'dockerode';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SHARED_LIMITS } from '../../src/doctor/shared-limits.ts';
import type { Consumption } from '../../src/pool/interfaces/consumption.ts';
import type { ContainerSpec } from '../../src/pool/interfaces/container-runtime.ts';
import { controlGroup, frozen, ofContainer } from '../../src/runtime/docker/control-groups.ts';
import type { EngineRuntime } from '../../src/runtime/docker/engine-runtime.ts';
import type { Demultiplexer } from '../../src/runtime/docker/output-tail.ts';
import { loadEngine } from '../../src/runtime/engines.ts';
import { ownFilter } from '../../src/runtime/isolation/seccomp.ts';
import type { EngineUnderTest } from '../contract/container-engine.ts';
import { newSpec, untilReady } from '../contract/container-runtime.ts';
import { eventually } from '../support/eventually.ts';
import { LimitedProcess, rightsOf } from '../support/limited-process.ts';
import { template } from '../support/templates.ts';
import type { TinyImage } from '../support/tiny-image.ts';
import { expectCounted, expectProcessorWatched } from './consumption.ts';
import { ATTACKS, loadAttackerImage } from './attacker-image.ts';
import {
  KEPT_FILES,
  expectedAnswers,
  kernelAnswers,
  notShown,
  type Answers,
  type RunAttack,
} from './kernel-answers.ts';

const never = new AbortController().signal;
/** More than kernels let the containers of one user have together unless they are told otherwise. */
const HOARD = 500;
const FILTERS = ['default', 'strict'] as const;

/** By the instance's own web server, so that the program is a child of the app, under what the app is under. */
export function throughPage({ hostPort }: ContainerSpec): RunAttack {
  return async (attack, query) => {
    const answer = await fetch(`http://127.0.0.1:${hostPort}/cgi-bin/${attack}?${query}`);
    expect(answer.status).toBe(200);
    return answer.text();
  };
}

/**
 * What of the kernel an instance reaches, tried by programs inside it. A container of the same image that nothing
 * filters is asked the same; what it is refused in the same way shows nothing, and the test says so.
 */
export function kernelSurfaceContract(underTest: () => EngineUnderTest): void {
  let image: TinyImage;
  let engine: EngineRuntime;
  let unfiltered: Answers;
  let control: RunAttack;
  let limited: LimitedProcess;
  const instances = new Map<string, ContainerSpec>();
  const releases: (() => unknown)[] = [];

  beforeAll(async () => {
    const { socketPath, runtime } = underTest();
    image = await loadAttackerImage(socketPath);
    releases.push(() => image[Symbol.asyncDispose]());
    engine = runtime();
    const each = FILTERS.map((name) => template({ image: image.name, port: image.port, seccomp: ownFilter(name) }));
    await engine.prepare(each);
    releases.push(async () => {
      for (const { name } of await engine.list()) await engine.remove(name);
      expect(await engine.unprepare()).toBe(true);
    });
    control = await uncontained(socketPath, image.name);
    limited = new LimitedProcess(await rightsOf('try-it-now.service'));
    releases.push(() => limited[Symbol.asyncDispose]());
    for (const of of each) {
      const spec = await newSpec(of);
      await engine.start(spec, never);
      await untilReady(spec);
      instances.set(of.seccomp.name, spec);
    }
    unfiltered = await kernelAnswers(control);
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

  /** Root without capabilities, as instances are, with every system call. */
  const uncontained = async (socketPath: string, of: string): Promise<RunAttack> => {
    const name = `tin-unfiltered-${randomBytes(4).toString('hex')}`;
    const container = await new Dockerode({ host: '', socketPath }).createContainer({
      name,
      Image: of,
      Cmd: ['/bin/busybox', 'sleep', '600'],
      StopTimeout: 0,
      HostConfig: {
        NetworkMode: 'none',
        CapDrop: ['ALL'],
        SecurityOpt: ['no-new-privileges', 'seccomp=unconfined'],
        Ulimits: ['nofile', 'nproc'].map((limit) => ({ Name: limit, Soft: 1024, Hard: 1024 })),
        Tmpfs: { '/tmp': 'rw,mode=1777' },
      },
    });
    releases.push(() => container.remove({ force: true, v: true }));
    await container.start();
    return async (attack, query) => {
      const command = [`/www/cgi-bin/${attack}`];
      const { exitCode, output } = await engine.exec(
        name,
        { command, env: { QUERY_STRING: query }, timeoutMs: 60_000 },
        never,
      );
      expect(`${exitCode} ${output}`).toMatch(/^0 /);
      return output;
    };
  };
  const instance = (filter: (typeof FILTERS)[number]): RunAttack => {
    const spec = instances.get(filter);
    if (spec === undefined) throw new Error(`no instance runs with the filter ${filter}`);
    return throughPage(spec);
  };

  /** As the server sees it under its unit. */
  const watched = (filter: (typeof FILTERS)[number] = 'default'): { consumption: Consumption; spec: ContainerSpec } => {
    const { engine: name, socketPath, deployment } = underTest();
    const spec = instances.get(filter);
    if (spec === undefined) throw new Error('no instance runs');
    return { consumption: limited.consumption(name, socketPath, deployment), spec };
  };
  /** As an app with a user of its own, whose number the host does not know. */
  const asUser =
    ({ name }: ContainerSpec): RunAttack =>
    async (attack, query) => {
      const container = new Dockerode({ host: '', socketPath: underTest().socketPath }).getContainer(name);
      const command = await container.exec({
        Cmd: [`/www/cgi-bin/${attack}`],
        Env: [`QUERY_STRING=${query}`],
        User: '1000:1000',
        AttachStdout: true,
        AttachStderr: true,
      });
      const [stream, said] = [await command.start({}), new PassThrough()];
      // What stays holds no terminal, whose end would end it.
      (container.modem as Demultiplexer).demuxStream(stream, said, said);
      stream.once('end', () => said.end());
      return text(said);
    };

  it.each(FILTERS)('is closed but for what apps need, and there the same as unfiltered (%s)', async (filter) => {
    const answers = await kernelAnswers(instance(filter));
    expect(answers).toEqual(expectedAnswers(unfiltered, filter));
    const silent = notShown(unfiltered, answers);
    if (filter === 'default' && silent !== '')
      process.stderr.write(
        `Without a filter this machine refuses the following in the same way, so that nothing is shown of it on ` +
          `${underTest().engine}: ${silent}\n`,
      );
  });

  it('leaves enough of what the kernel counts by user number, where set-up has raised it', async () => {
    const limit = (await readFile('/proc/sys/fs/inotify/max_user_instances', 'utf8')).trim();
    if (Number(limit) < SHARED_LIMITS['fs.inotify.max_user_instances']) {
      process.stderr.write(
        `Set-up has not raised fs.inotify.max_user_instances (${limit}), so nothing is shown of it\n`,
      );
      return;
    }
    expect(await instance('default')('inotify-hoard', String(HOARD))).toBe(`inotify instances: ${HOARD}\n`);
    // The user of the other one has the same number.
    expect(await instance('strict')('inotify-hoard', '10')).toBe('inotify instances: 10\n');
  });

  it('has all counted that it writes, however it hides it', async () => {
    const { engine: name, socketPath, deployment } = underTest();
    const loaded = await loadEngine(name);
    expect(loaded.runsContainers && (await loaded.inspect(socketPath).showsWritten(deployment))).toBe(true);
    const { consumption, spec } = watched();
    await expectCounted(instance('default'), consumption, spec.name);
    const other = watched('strict').spec;
    await expectCounted(asUser(other), consumption, other.name, { few: true });
    expect(await consumption.diskUse('demo-not-there', { bytes: 1, files: 1 }, never)).toBeUndefined();
    const room = await consumption.storage();
    expect(room?.free.bytes).toBeGreaterThan(0);
    expect(room?.total.bytes).toBeGreaterThan(room?.free.bytes ?? Infinity);
  });

  it('is seen in what it takes of processors, and is bounded in it', async () => {
    const { consumption, spec } = watched();
    await expectProcessorWatched(instance('default'), consumption, spec, spec.template.limits.cpus);
    expect(await consumption.cpuMs('demo-not-there')).toBeUndefined();
  });

  it('runs again where whoever stopped it for a look has died, once another one takes over', async () => {
    const { consumption, spec } = watched();
    await consumption.locate(spec.name);
    const found = await new Dockerode({ socketPath: underTest().socketPath }).getContainer(spec.name).inspect();
    const groups = await readFile(`/proc/${found.State.Pid}/cgroup`, 'utf8');
    const freezer = ofContainer(controlGroup(groups, 'freezer') ?? '', found.Id);
    const stands = async (): Promise<boolean> =>
      /^FROZEN$|^1$/m.test(
        await readFile(`${freezer}/freezer.state`, 'utf8').catch(() => readFile(`${freezer}/cgroup.freeze`, 'utf8')),
      );
    await frozen(freezer, async () => {
      expect(await stands()).toBe(true);
      await consumption.cpuMs(spec.name);
      expect(await stands()).toBe(true);
      consumption.forget();
      await consumption.cpuMs(spec.name);
      expect(await stands()).toBe(false);
    });
  });

  it('ends with all it has begun once it is killed, however fast it makes processes', async () => {
    const { consumption, spec } = watched();
    const bomb = await newSpec(spec.template);
    await engine.start(bomb, never);
    await untilReady(bomb);
    await consumption.locate(bomb.name);
    const refused = (await consumption.refusedProcesses(bomb.name)) ?? Infinity;
    expect(await throughPage(bomb)('fork-bomb', '3600')).toBe('begun\n');
    await eventually(async () => expect(await consumption.refusedProcesses(bomb.name)).toBeGreaterThan(refused));
    await consumption.kill(bomb.name);
    await eventually(async () => {
      const found = (await engine.list()).find(({ name }) => name === bomb.name);
      expect(found?.running).toBe(false);
    });
    await engine.remove(bomb.name);
    await consumption.kill(bomb.name);
    // Nobody else's.
    expect(await consumption.cpuMs(spec.name)).toBeGreaterThan(0);
  });

  it('cannot write the files that the engine mounts into it', async () => {
    for (const filter of FILTERS)
      expect((await instance(filter)('engine-files', '')).trim().split('\n')).toEqual(KEPT_FILES[underTest().engine]);
    // Root without what we do to them can.
    expect(await control('engine-files', '')).toMatch(/^\/etc\/hosts changed$/m);
  });

  it("reads no key of the host's root, and leaves none", async () => {
    const [name, secret] = [`try-it-now-${randomBytes(4).toString('hex')}`, randomBytes(8).toString('hex')];
    const host: RunAttack = async (attack, query) => {
      const env = { QUERY_STRING: query };
      return (await promisify(execFile)('perl', [`./${attack}.pl`], { cwd: ATTACKS, env: { ...process.env, ...env } }))
        .stdout;
    };
    const written = await host('key-rings', `write+${name}+${secret}`);
    if (/^write \d+\n$/.test(written)) {
      process.stderr.write(`This machine gives root no key ring, so that nothing is shown of it: ${written}`);
      return;
    }
    expect(written).toBe('write done\n');
    try {
      // Root without a filter does read it: the question can be answered.
      expect(await control('key-rings', `read+${name}`)).toBe(`read done\nfound ${secret}\n`);
      const attacker = instance('default');
      expect(await attacker('key-rings', `read+${name}`)).toBe('read 1\n');
      expect(await attacker('key-rings', `remove+${name}`)).toBe('remove 1\n');
      expect(await attacker('key-rings', `write+${name}-2+x`)).toBe('write 1\n');
    } finally {
      expect(await host('key-rings', `remove+${name}`)).toBe('remove done\n');
    }
  });
}
