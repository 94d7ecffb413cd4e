import Dockerode from 'dockerode';
import { afterAll, afterEach, expect, it } from 'vitest';
import { DEFAULT_PROCESS } from '../../src/domain/process-settings.ts';
import type { Service } from '../../src/domain/service.ts';
import type { ContainerSpec, ContainerSummary } from '../../src/pool/interfaces/container-runtime.ts';
import { eventually } from '../support/eventually.ts';
import { template } from '../support/templates.ts';
import type { EngineUnderTest } from './container-engine.ts';
import { newSpec } from './container-runtime.ts';

const never = new AbortController().signal;
const BUSYBOX = '/bin/busybox';

/** Further containers of an instance, on a real engine. */
export function servicesContract(underTest: () => EngineUnderTest): void {
  afterEach(async () => {
    const engine = underTest().runtime();
    for (const { name } of await engine.list()) await engine.remove(name);
  });
  afterAll(async () => expect(await underTest().runtime().unprepare()).toBe(true));

  const docker = (): Dockerode => new Dockerode({ host: '', socketPath: underTest().socketPath });
  const service = (name: string, command: readonly string[], overrides: Partial<Service> = {}): Service => ({
    name,
    image: underTest().image.name,
    env: {},
    process: { ...DEFAULT_PROCESS, command },
    limits: { memoryBytes: 32 * 2 ** 20, cpus: 0.5, pids: 16 },
    capabilities: [],
    readiness: { kind: 'running', timeoutMs: 20_000 },
    ...overrides,
  });
  const specWith = async (services: readonly Service[]): Promise<ContainerSpec> => {
    const { image, runtime } = underTest();
    const tiny = template({ image: image.name, port: image.port, services });
    await runtime().prepare([tiny]);
    return newSpec(tiny);
  };
  /** Every container of the instance that the engine knows, the app's too. */
  const containers = async ({ name }: ContainerSpec): Promise<string[]> =>
    (await docker().listContainers({ all: true }))
      .flatMap(({ Names }) => Names.map((each) => each.replace(/^\//, '')))
      .filter((each) => each.startsWith(name))
      .sort();

  // A server on the instance's own loopback address, which is late; and one that a command asks for.
  const db = (): Service =>
    service('db', ['/bin/sh', '-c', `${BUSYBOX} sleep 0.5; exec ${BUSYBOX} httpd -f -p 127.0.0.1:5432 -h /www`], {
      readiness: { kind: 'tcp', port: 5432, timeoutMs: 20_000 },
    });
  const cache = (): Service =>
    service('cache', ['/bin/sh', '-c', `echo warm > /tmp/warm; exec ${BUSYBOX} httpd -f -p 6379 -h /tmp`], {
      readiness: { kind: 'exec', command: [BUSYBOX, 'test', '-e', '/tmp/warm'], timeoutMs: 20_000 },
      env: { KIND: 'cache', 'cluster.name': 'demo' },
    });

  it('starts them before the app, in one network, each with its own limits, and removes all', async () => {
    const { runtime, deployment } = underTest();
    const engine = runtime();
    const spec = await specWith([db(), cache()]);
    await engine.start(spec, never);
    const inside = (command: readonly string[], name = spec.name) =>
      engine.exec(name, { command, env: {}, timeoutMs: 20_000 }, never);
    expect((await inside([BUSYBOX, 'wget', '-q', '-O', '-', 'http://db:5432/'])).output).toContain('Tiny');
    expect((await inside([BUSYBOX, 'wget', '-q', '-O', '-', 'http://cache:6379/warm'])).output).toBe('warm\n');
    expect((await inside([BUSYBOX, 'env'], `${spec.name}-cache`)).output).toMatch(/^KIND=cache$/m);
    expect((await inside([BUSYBOX, 'env'], `${spec.name}-cache`)).output).toMatch(/^cluster\.name=demo$/m);
    await eventually(async () => expect((await fetch(`http://127.0.0.1:${spec.hostPort}/`)).status).toBe(200));
    expect((await inside([BUSYBOX, 'wget', '-q', '-O', '-', 'http://app/'], `${spec.name}-db`)).output).toContain(
      'Tiny',
    );
    for (const name of [`${spec.name}-db`, `${spec.name}-cache`]) {
      const { HostConfig: host, Config } = await docker().getContainer(name).inspect();
      expect(host).toMatchObject({ Memory: 32 * 2 ** 20, PidsLimit: 16, Privileged: false });
      expect(Config.Labels).toMatchObject({
        'try-it-now.deployment': deployment,
        'try-it-now.part-of': spec.name,
        'try-it-now.service': name.split('-').at(-1),
      });
      expect(await inside([BUSYBOX, 'sh', '-c', 'grep CapEff /proc/self/status'], name)).toMatchObject({
        output: expect.stringMatching(/CapEff:\s+0+\n/) as string,
      });
    }
    expect(await engine.list()).toEqual([{ name: spec.name, instanceId: spec.instanceId, running: true }]);
    // Replaced as a whole by an attempt under the same name.
    await engine.start(spec, never);
    expect(await containers(spec)).toEqual([spec.name, `${spec.name}-cache`, `${spec.name}-db`]);
    await engine.remove(spec.name);
    expect(await containers(spec)).toEqual([]);
    await engine.remove(spec.name);
  });

  it('find each other by names with underscores, and as app whoever it is that listens there', async () => {
    const engine = underTest().runtime();
    const serving = (port: number) => [BUSYBOX, 'httpd', '-f', '-p', `127.0.0.1:${port}`, '-h', '/www'];
    const ready = (port: number) => ({ readiness: { kind: 'tcp' as const, port, timeoutMs: 20_000 } });
    // The first one's container gives the instance its host name.
    const spec = await specWith([
      service('my_db', serving(5432), ready(5432)),
      service('app-2', serving(9000), ready(9000)),
      service('job_queue', serving(6379), ready(6379)),
    ]);
    await engine.start(spec, never);
    for (const from of ['', '-my_db', '-app-2', '-job_queue'])
      for (const url of ['http://my_db:5432/', 'http://job_queue:6379/', 'http://app:9000/', 'http://app-2:9000/']) {
        const command = [BUSYBOX, 'wget', '-q', '-O', '-', url];
        const { output } = await engine.exec(`${spec.name}${from}`, { command, env: {}, timeoutMs: 20_000 }, never);
        expect([from, url, output]).toEqual([from, url, expect.stringContaining('Tiny')]);
      }
    await engine.remove(spec.name);
    expect(await containers(spec)).toEqual([]);
  });

  it('tells of the instance when a service ends, and counts it as ended', async () => {
    const engine = underTest().runtime();
    const spec = await specWith([db(), cache()]);
    await engine.start(spec, never);
    const told: ContainerSummary[] = [];
    const over = new AbortController();
    const watching = engine.watch((container) => told.push(container), over.signal);
    await docker().getContainer(`${spec.name}-cache`).kill();
    await eventually(() => expect(told).toContainEqual(expect.objectContaining({ name: spec.name })));
    over.abort();
    await watching;
    // An engine may tell of an end before it lists it.
    await eventually(async () =>
      expect(await engine.list()).toEqual([{ name: spec.name, instanceId: spec.instanceId, running: false }]),
    );
    await engine.remove(spec.name);
    expect(await containers(spec)).toEqual([]);
  });

  it('says why a service did not become ready, and leaves nothing', async () => {
    const engine = underTest().runtime();
    const crashing = await specWith([
      db(),
      service('worker', ['/bin/sh', '-c', 'echo no such table; exit 3'], {
        readiness: { kind: 'tcp', port: 9_999, timeoutMs: 20_000 },
      }),
    ]);
    await expect(engine.start(crashing, never)).rejects.toMatchObject({
      code: 'container_failed',
      message: expect.stringMatching(/The service worker .* ended with exit code 3 .*no such table/s) as string,
      details: { service: 'worker' },
    });
    expect(await containers(crashing)).toEqual([]);
    const silent = await specWith([
      service('worker', [BUSYBOX, 'sleep', '600'], {
        readiness: { kind: 'tcp', port: 9_999, timeoutMs: 300 },
      }),
    ]);
    await expect(engine.start(silent, never)).rejects.toThrow(/not ready within 300 ms: nothing listens at port 9999/);
    expect(await containers(silent)).toEqual([]);
  });

  it('names the template of a service whose image is missing', async () => {
    await expect(specWith([{ ...db(), image: 'localhost/no-such-image:1' }])).rejects.toMatchObject({
      code: 'image_missing',
      message: expect.stringContaining('localhost/no-such-image:1 (template tiny)') as string,
    });
  });
}
