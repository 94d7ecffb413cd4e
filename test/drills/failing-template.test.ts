import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchPodman, type LaunchedPodman } from '../../src/runtime/podman/launch.ts';
import { connectQueue } from '../../src/queue/connection.ts';
import { listDead } from '../../src/queue/dead-letters.ts';
import { titleFor, whyWithout } from '../support/container-engine.ts';
import { Cleanups, ownFolder } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { silent } from '../support/store.ts';
import { readiness, template } from '../support/templates.ts';
import { loadTinyImage, type TinyImage } from '../support/tiny-image.ts';

const PATIENT = { timeoutMs: 60_000, everyMs: 100 };

interface Line {
  readonly msg: string;
  readonly template?: string;
  readonly instance?: string;
}

function lineBook() {
  const lines: Line[] = [];
  const log = pino(
    { level: 'info' },
    {
      write: (line: string) => {
        lines.push(JSON.parse(line) as Line);
      },
    },
  );
  return { log, with: (text: string) => lines.filter(({ msg }) => msg.includes(text)) };
}

async function poolOf({ app }: Stack, name: string) {
  return (await app.demos.stats()).get(name);
}

async function failures({ api }: Stack, name: string): Promise<number> {
  const text = await (await fetch(`${api}/metrics`)).text();
  return Number(
    new RegExp(`try_it_now_provisions_total\\{template="${name}",method="cold_start",status="failure"\\} (\\d+)`).exec(
      text,
    )?.[1],
  );
}

class RestartableService implements AsyncDisposable {
  readonly #launch: () => Promise<AsyncDisposable>;
  #running: AsyncDisposable | undefined;

  constructor(launch: () => Promise<AsyncDisposable>) {
    this.#launch = launch;
  }

  async start(): Promise<void> {
    this.#running = await this.#launch();
  }

  async stop(): Promise<void> {
    await this.#running?.[Symbol.asyncDispose]();
    this.#running = undefined;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

describe.skipIf(whyWithout('podman') !== undefined)(titleFor('podman'), { concurrent: true }, () => {
  const cleanups = new Cleanups('a failing template');
  let folder: string;
  let podman: LaunchedPodman;
  let image: TinyImage;
  beforeAll(async () => {
    folder = await ownFolder(cleanups, 'tin-failing-');
    podman = await launchPodman({ socketPath: join(folder, 'podman.sock') });
    cleanups.push(() => podman[Symbol.asyncDispose]());
    image = await loadTinyImage(podman.socketPath);
    cleanups.push(() => image[Symbol.asyncDispose]());
  });
  afterAll(() => cleanups[Symbol.asyncDispose]());

  it('a template that never becomes ready pauses, and the others get the workers', async () => {
    const sound = template({
      name: 'sound',
      image: image.name,
      port: image.port,
      pool: { target: 2, max: 4, replenishThreshold: 0 },
    });
    const broken = {
      ...sound,
      name: 'broken',
      readiness: readiness('/not-there', 500),
      pool: { target: 12, max: 12, replenishThreshold: 0 },
    };
    const book = lineBook();
    await using stack = await startStack({
      engine: 'podman',
      socketPath: podman.socketPath,
      templates: [broken, sound],
      env: { QUEUE_WORKER_COUNT: '2' },
      log: book.log,
    });
    await eventually(async () => expect(await poolOf(stack, 'sound')).toMatchObject({ ready: 2 }), PATIENT);
    await eventually(
      async () => expect(await poolOf(stack, 'broken')).toMatchObject({ ready: 0, warming: 0, leaving: 0 }),
      PATIENT,
    );
    // Three failures open the breaker, and one more attempt may have been under way; each pause since has had one try.
    const failed = await failures(stack, 'broken');
    expect(failed).toBeLessThan(broken.pool.target);
    expect(book.with('Template keeps failing')).toMatchObject([{ template: 'broken', failures: 3 }]);

    // After the pause one instance is tried, not twelve, and its task is kept as dead, with the cause.
    await eventually(async () => expect(await failures(stack, 'broken')).toBeGreaterThan(failed), PATIENT);
    const connection = await connectQueue({ ...stack.config.nats, log: silent });
    try {
      const dead = await eventually(async () => {
        const found = await listDead(connection, 100);
        expect(found.length).toBeGreaterThanOrEqual(2);
        return found;
      }, PATIENT);
      for (const { reason } of dead) expect(reason).toMatch(/template broken failed \d+ times in a row.*not-there/);
    } finally {
      await connection.close();
    }
    expect(book.with('Template keeps failing')).toHaveLength(1);

    // Fixed, it is filled at once, whatever was left of its pause.
    await stack.restart(undefined, [{ ...broken, readiness: sound.readiness, pool: sound.pool }, sound]);
    await eventually(async () => expect(await poolOf(stack, 'broken')).toMatchObject({ ready: 2 }), PATIENT);
  });

  it('a container that cannot be removed is quarantined with the reason and goes when it can', async () => {
    const few = template({ image: image.name, port: image.port, pool: { target: 1, max: 1, replenishThreshold: 0 } });
    const book = lineBook();
    const socketPath = join(folder, 'another.sock');
    // Disposed after the stack, which needs an engine to remove its containers.
    await using service = new RestartableService(() => launchPodman({ socketPath }));
    await service.start();
    await using stack = await startStack({ engine: 'podman', socketPath, templates: [few], log: book.log });
    await eventually(async () => expect(await poolOf(stack, 'tiny')).toMatchObject({ ready: 1 }), PATIENT);
    const { id } = (await (await fetch(`${stack.api}/api/v1/demo/acquire`, { method: 'POST' })).json()) as {
      id: string;
    };
    await service.stop();
    expect((await fetch(`${stack.api}/api/v1/demo/${id}`, { method: 'DELETE' })).status).toBe(204);
    const quarantined = await eventually(async () => {
      const { instance } = await stack.app.demos.find(id);
      expect(instance).toMatchObject({ state: 'quarantined' });
      return instance;
    }, PATIENT);
    expect(quarantined.reason).toContain('does not answer');
    expect(quarantined.port).not.toBeNull();
    expect(await poolOf(stack, 'tiny')).toMatchObject({ leaving: 1, warming: 0 });
    await service.start();
    await eventually(async () => expect(await poolOf(stack, 'tiny')).toMatchObject({ ready: 1, leaving: 0 }), PATIENT);
    expect(book.with('Cleanup failed')[0]).toMatchObject({ instance: id });
  });
});
