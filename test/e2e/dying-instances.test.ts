import Dockerode from 'dockerode';
import { Redis as Valkey } from 'iovalkey';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Instance } from '../../src/domain/instance.ts';
import { DEFAULT_PROCESS } from '../../src/domain/process-settings.ts';
import { launchEngine, titleFor, whyWithout, type LaunchedEngine } from '../support/container-engine.ts';
import { Cleanups } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { get } from '../support/proxy.ts';
import { startStack, type Stack, type StackOptions } from '../support/stack.ts';
import { readiness, template } from '../support/templates.ts';
import { loadTinyImage, type TinyImage } from '../support/tiny-image.ts';

const PATIENT = { timeoutMs: 60_000 };
/** The reconciler would find all of this out as well, so it is kept from looking, once it has done so at the start. */
const ALONE = { reconcileIntervalMs: 3_600_000 };
/** It looks once more when the engine's events have been heard for this long. */
const LAST_LOOK_MS = 1_000;
const BROWSER = { accept: 'text/html' };

async function valuesOf<T>({ config }: Stack, hash: string): Promise<T[]> {
  const valkey = new Valkey(config.valkey.port, config.valkey.host);
  try {
    return (await valkey.hvals(hash)).map((text) => JSON.parse(text) as T);
  } finally {
    valkey.disconnect();
  }
}

const records = (stack: Stack): Promise<Instance[]> => valuesOf<Instance>(stack, 'instances');

/** Three idle instances, and the reconciler on its long pause. */
async function startAlone(options: StackOptions): Promise<Stack> {
  const stack = await startStack({ ...options, ...ALONE });
  const startedAtMs = Date.now();
  try {
    await eventually(async () => {
      const [node] = await valuesOf<{ seenAtMs: number }>(stack, 'nodes');
      expect(node?.seenAtMs).toBeGreaterThan(startedAtMs + LAST_LOOK_MS);
    }, PATIENT);
    await untilStocked(stack, 3);
    return stack;
  } catch (error) {
    await stack[Symbol.asyncDispose]();
    throw error;
  }
}

async function metric({ api }: Stack, series: string): Promise<number> {
  const text = await (await fetch(`${api}/metrics`)).text();
  return Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${series} `))
      ?.slice(series.length + 1),
  );
}

async function untilStocked(stack: Stack, ready: number): Promise<void> {
  await eventually(
    async () =>
      expect(await (await fetch(`${stack.api}/api/v1/pool/stats`)).json()).toMatchObject({
        ready,
        warming: 0,
        leaving: 0,
        waiting: 0,
      }),
    PATIENT,
  );
}

async function acquire({ api }: Stack): Promise<{ id: string; url: string }> {
  const response = await fetch(`${api}/api/v1/demo/acquire`, { method: 'POST' });
  expect(response.status).toBe(201);
  return (await response.json()) as { id: string; url: string };
}

async function recordOf(stack: Stack, id: string): Promise<Instance> {
  const found = (await records(stack)).find((record) => record.id === id);
  if (found === undefined) throw new Error(`there is no record of ${id}`);
  return found;
}

function visit({ proxy }: Stack, url: string): ReturnType<typeof get> {
  return get(Number(new URL(proxy).port), new URL(url).hostname, BROWSER);
}

/** What must come of a container that ends behind our back, however an engine ends it. */
function endingContainers(options: () => StackOptions, end: (stack: Stack, container: string) => Promise<void>): void {
  it('ends the visit, gives its visitor an honest page, and leaves nothing behind', async () => {
    await using stack = await startAlone(options());
    const { id, url } = await acquire(stack);
    await untilStocked(stack, 3);
    expect((await visit(stack, url)).status).toBe(200);
    await end(stack, (await recordOf(stack, id)).container);
    await eventually(async () => {
      const { status, body } = await visit(stack, url);
      expect([status, body]).toEqual([404, expect.stringContaining('One that breaks down ends early.')]);
    }, PATIENT);
    await eventually(async () => expect((await fetch(`${stack.api}/api/v1/demo/${id}`)).status).toBe(404), PATIENT);
    await eventually(async () => expect((await records(stack)).map((record) => record.id)).not.toContain(id), PATIENT);
    await untilStocked(stack, 3);
    expect(await metric(stack, 'try_it_now_releases_total{template="tiny",reason="container_lost"}')).toBe(1);
  });

  it('is replaced while nobody has it', async () => {
    await using stack = await startAlone(options());
    const [ready] = await records(stack);
    await end(stack, ready?.container ?? '');
    await eventually(async () => expect((await records(stack)).map(({ id }) => id)).not.toContain(ready?.id), PATIENT);
    await untilStocked(stack, 3);
    expect(await metric(stack, 'try_it_now_releases_total{template="tiny",reason="container_lost"}')).toBe(1);
  });
}

describe.concurrent('a simulated container that ends behind our back', () => {
  endingContainers(
    () => ({}),
    (stack, container) => stack.app.runtime.remove(container),
  );
});

describe.skipIf(whyWithout('podman') !== undefined)(
  `a container of ${titleFor('podman')} that ends behind our back`,
  { concurrent: true },
  () => {
    const cleanups = new Cleanups('a dying instance');
    let engine: LaunchedEngine;
    let image: TinyImage;
    const options = (): StackOptions => ({
      engine: 'podman',
      socketPath: engine.socketPath,
      templates: [template({ image: image.name, port: image.port })],
      // So rarely that the engine's events are what tells of an end.
      env: { POOL_HEALTH_INTERVAL: '1h' },
    });
    const signal = async (container: string, name: NodeJS.Signals): Promise<void> => {
      const { State } = await new Dockerode({ host: '', socketPath: engine.socketPath })
        .getContainer(container)
        .inspect();
      process.kill(State.Pid, name);
    };

    beforeAll(async () => {
      engine = await launchEngine('podman');
      cleanups.push(() => engine[Symbol.asyncDispose]());
      image = await loadTinyImage(engine.socketPath);
      cleanups.push(() => image[Symbol.asyncDispose]());
    });
    afterAll(() => cleanups[Symbol.asyncDispose]());

    endingContainers(options, (_stack, container) => signal(container, 'SIGKILL'));

    it('is replaced as well when it runs but does not answer', async () => {
      const impatient = { ...readiness('/', 20_000), requestTimeoutMs: 4_000 };
      await using stack = await startAlone({
        ...options(),
        // Without an init the process that is stopped is the app.
        templates: [
          template({
            image: image.name,
            port: image.port,
            readiness: impatient,
            process: { ...DEFAULT_PROCESS, init: false },
          }),
        ],
        env: { POOL_HEALTH_INTERVAL: '1s' },
      });
      const [ready] = await records(stack);
      await signal(ready?.container ?? '', 'SIGSTOP');
      await eventually(
        async () => expect((await records(stack)).map(({ id }) => id)).not.toContain(ready?.id),
        PATIENT,
      );
      await untilStocked(stack, 3);
      expect(await metric(stack, 'try_it_now_releases_total{template="tiny",reason="unhealthy"}')).toBe(1);
      expect(
        await metric(stack, 'try_it_now_stock_checks_total{template="tiny",result="unhealthy"}'),
      ).toBeGreaterThanOrEqual(2);
    });
  },
);
