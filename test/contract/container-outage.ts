import { expect, it } from 'vitest';
import type { ChildServer } from '../../src/launcher/child-server.ts';
import type { ContainerRuntime } from '../../src/pool/interfaces/container-runtime.ts';
import { template } from '../support/templates.ts';
import { newSpec, untilReady } from './container-runtime.ts';
import { eventually } from '../support/eventually.ts';
import { suspend } from '../support/suspend.ts';

const never = new AbortController().signal;
const unavailable = { code: 'engine_unavailable' };

/** An engine of the test's own, since it is killed and stopped. */
export interface FragileEngine extends AsyncDisposable {
  readonly runtime: ContainerRuntime;
  /** Of the same engine, and soon done with one that hangs. */
  readonly impatient: ContainerRuntime;
  readonly image: { readonly name: string; readonly port: number };
  readonly server: () => ChildServer;
  /** On the same socket, after it was killed. */
  readonly launchAgain: () => Promise<void>;
  /** What else the engine is asked, by a checkpointing for one. */
  readonly moreCalls?: () => Promise<unknown>[];
}

/** What a runtime promises about an engine that is gone, or there and silent. */
export function outageContract(launch: () => Promise<FragileEngine>): void {
  const calls = async (runtime: ContainerRuntime, { image, moreCalls }: FragileEngine): Promise<Promise<unknown>[]> => {
    const tiny = template({ image: image.name, port: image.port });
    return [
      runtime.prepare([tiny]),
      runtime.list(),
      runtime.start(await newSpec(tiny), never),
      runtime.remove('demo-0000000000000000'),
      runtime.exec('demo-0000000000000000', { command: ['/bin/busybox', 'true'], env: {}, timeoutMs: 2_000 }, never),
      runtime.unprepare(),
      ...(moreCalls?.() ?? []),
    ];
  };
  const allUnavailable = async (runtime: ContainerRuntime, engine: FragileEngine): Promise<void> => {
    const outcomes = await Promise.allSettled(await calls(runtime, engine));
    expect(outcomes).toEqual(
      outcomes.map(() => ({ status: 'rejected', reason: expect.objectContaining(unavailable) as Error })),
    );
  };

  it('says that it is gone, also to who watches, and finds it again', async () => {
    await using engine = await launch();
    const { runtime, image } = engine;
    const tiny = template({ image: image.name, port: image.port });
    await runtime.prepare([tiny]);
    const told: string[] = [];
    const watching = runtime.watch(({ name }) => told.push(name), never);
    // By then it is heard, so that it is a stream that is cut.
    const spec = await newSpec(tiny);
    await runtime.start(spec, never);
    await runtime.remove(spec.name);
    await eventually(() => expect(told).toContain(spec.name));
    const lost = expect(watching).rejects.toMatchObject(unavailable);
    engine.server().signal('SIGKILL');
    await lost;
    await allUnavailable(runtime, engine);
    await expect(runtime.watch(() => undefined, never)).rejects.toMatchObject(unavailable);
    await engine.launchAgain();
    await runtime.start(spec, never);
    await untilReady(spec);
  });

  it('gives up on one that does not answer', async () => {
    await using engine = await launch();
    const abort = new AbortController();
    await suspend(engine.server());
    try {
      const watching = engine.runtime.watch(() => undefined, abort.signal);
      await allUnavailable(engine.impatient, engine);
      abort.abort();
      await watching;
    } finally {
      engine.server().signal('SIGCONT');
    }
    await engine.runtime.list();
  });
}
