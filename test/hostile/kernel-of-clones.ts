import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { extract } from 'tar';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { DEFAULT_DUMP } from '../../src/domain/template.ts';
import type { EngineRuntime } from '../../src/runtime/docker/engine-runtime.ts';
import type { CheckpointingUnderTest } from '../contract/checkpointing.ts';
import { newSpec, untilReady } from '../contract/container-runtime.ts';
import { template } from '../support/templates.ts';
import type { TinyImage } from '../support/tiny-image.ts';
import { loadAttackerImage } from './attacker-image.ts';
import { consumptionOf, expectCounted, expectProcessorWatched } from './consumption.ts';
import { throughPage } from './kernel-surface.ts';
import { KEPT_FILES, expectedAnswers, kernelAnswers } from './kernel-answers.ts';

const never = new AbortController().signal;

/** A clone has the filter that its processes were dumped with: CRIU puts it back, and no engine looks at it. */
export function kernelOfClonesContract(underTest: () => CheckpointingUnderTest): void {
  let image: TinyImage;
  let runtime: EngineRuntime;
  let folder: string;

  beforeAll(async () => {
    image = await loadAttackerImage(underTest().socketPath);
    runtime = underTest().runtime();
    folder = await mkdtemp(join(tmpdir(), 'tin-hostile-'));
  });
  afterEach(async () => {
    for (const { name } of await runtime.list()) await runtime.remove(name);
  });
  afterAll(async () => {
    expect(await runtime.unprepare()).toBe(true);
    await image[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  it('is closed as that of a cold start', async () => {
    const of = template({ image: image.name, port: image.port });
    const checkpointing = underTest().checkpointing();
    await runtime.prepare([of]);
    const [source, clone] = [await newSpec(of), await newSpec(of)];
    await runtime.start(source, never);
    await untilReady(source);
    const cold = await kernelAnswers(throughPage(source));
    expect(cold).toEqual(expectedAnswers(cold));
    await checkpointing.untilIdle(source.name, 120_000, never);
    const archive = join(folder, 'attacker.tar');
    await checkpointing.dump(source.name, archive, DEFAULT_DUMP);
    await runtime.remove(source.name);
    const unpacked = join(folder, 'attacker');
    await mkdir(unpacked);
    await extract({ file: archive, cwd: unpacked, preserveOwner: true });
    await checkpointing.restore(clone, { id: '0123456789abcdef', folder: unpacked, fileLocks: false }, never);
    await untilReady(clone);
    expect(await kernelAnswers(throughPage(clone))).toEqual(cold);
    const { engine, socketPath, deployment } = underTest();
    const consumption = await consumptionOf(engine, socketPath, deployment);
    await expectCounted(throughPage(clone), consumption, clone.name);
    await expectProcessorWatched(throughPage(clone), consumption, clone, of.limits.cpus);
    expect((await throughPage(clone)('engine-files', '')).trim().split('\n')).toEqual(KEPT_FILES.podman);
    // A command that is run inside is no child of what was restored.
    const { output } = await runtime.exec(
      clone.name,
      { command: ['/www/cgi-bin/namespace-root'], env: {}, timeoutMs: 20_000 },
      never,
    );
    expect(output.trim().split('\n')).toEqual(['unshare 1', 'clone 38', 'clone3 38']);
  });
}
