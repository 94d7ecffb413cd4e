import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Dockerode from 'dockerode';
import { extract } from 'tar';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Catalogue, DEFAULT_DUMP, type Template } from '../../src/domain/template.ts';
import type { Checkpointing, OpenCheckpoint } from '../../src/pool/interfaces/checkpointing.ts';
import type { ContainerRuntime, ContainerSpec } from '../../src/pool/interfaces/container-runtime.ts';
import { MemorySharing } from '../../src/pool/share-memory.ts';
import { SwapOutStock } from '../../src/pool/swap-out-stock.ts';
import { HostConsumption } from '../../src/runtime/docker/host-consumption.ts';
import { KernelPageMerging } from '../../src/runtime/page-merging/page-merging.ts';
import { whyNotShared } from '../../src/runtime/podman/memory-sharing.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { eventually } from '../support/eventually.ts';
import { WHY_NO_SWAP, ownSwap } from '../support/own-swap.ts';
import { template } from '../support/templates.ts';
import { loadTinyImage, type TinyImage } from '../support/tiny-image.ts';
import type { CheckpointingUnderTest } from './checkpointing.ts';
import { newSpec, untilReady } from './container-runtime.ts';

const never = new AbortController().signal;
const MIB = 2 ** 20;
/** Holds some 10 MB, which no other page of it is equal to. */
const HOLDER = [
  '/bin/sh',
  '-c',
  'held=$(/bin/busybox seq 1500000); /bin/busybox httpd -p 80 -h /www; while :; do /bin/busybox sleep 1; done',
];
const HELD_BYTES = 8 * MIB;

/** In words; undefined where it is tried. */
export const WHY_NO_SHARING = await whyNotShared();
if (WHY_NO_SHARING !== undefined) process.stderr.write(`Skipped: the sharing of memory; ${WHY_NO_SHARING}\n`);

const consumptionOf = ({ socketPath }: CheckpointingUnderTest): HostConsumption =>
  new HostConsumption({ title: 'Podman' }, { socketPath, log: createLogger('silent') });

/** That what a template says of its memory holds for starts and restores, and what comes of it. */
export function memorySharingContract(underTest: () => CheckpointingUnderTest): void {
  let image: TinyImage;
  let folder: string;
  let runtime: ContainerRuntime;
  let checkpointing: Checkpointing;
  let docker: Dockerode;

  const holder = (memory: Template['memory']): Template =>
    template({
      name: memory,
      image: image.name,
      port: image.port,
      memory,
      limits: { memoryBytes: 96 * MIB, cpus: 1, pids: 32 },
    });

  beforeEach(async () => {
    docker = new Dockerode({ host: '', socketPath: underTest().socketPath });
    image = await loadTinyImage(underTest().socketPath, HOLDER);
    folder = await mkdtemp(join(tmpdir(), 'tin-memory-'));
    runtime = underTest().runtime();
    checkpointing = underTest().checkpointing();
    await runtime.prepare([holder('private'), holder('share')]);
  });
  afterEach(async () => {
    for (const { name } of await runtime.list()) await runtime.remove(name);
    expect(await runtime.unprepare()).toBe(true);
    await checkpointing.close();
    await runtime.close();
    await image[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  const started = async (memory: Template['memory']): Promise<ContainerSpec> => {
    const spec = await newSpec(holder(memory));
    await runtime.start(spec, never);
    await untilReady(spec);
    return spec;
  };
  const restored = async (memory: Template['memory'], from: OpenCheckpoint): Promise<ContainerSpec> => {
    const spec = await newSpec(holder(memory));
    await checkpointing.restore(spec, from, never);
    await untilReady(spec);
    return spec;
  };
  const checkpoint = async (): Promise<OpenCheckpoint> => {
    const source = await started('private');
    await checkpointing.untilIdle(source.name, 60_000, never);
    const archive = join(folder, 'archive.tar');
    await checkpointing.dump(source.name, archive, DEFAULT_DUMP);
    await runtime.remove(source.name);
    const unpacked = join(folder, 'unpacked');
    await mkdir(unpacked);
    await extract({ file: archive, cwd: unpacked, preserveOwner: true });
    return { id: '0123456789abcdef', folder: unpacked, fileLocks: false };
  };
  const mayBeMerged = async ({ name }: ContainerSpec): Promise<string | undefined> => {
    const { State } = await docker.getContainer(name).inspect();
    return /^ksm_merge_any: (\w+)$/m.exec(await readFile(`/proc/${State.Pid}/ksm_stat`, 'utf8'))?.[1];
  };

  it('may be merged where the template says so, and nowhere else', async () => {
    const from = await checkpoint();
    expect(await mayBeMerged(await started('share'))).toBe('yes');
    expect(await mayBeMerged(await started('private'))).toBe('no');
    expect(await mayBeMerged(await started('swap'))).toBe('no');
    expect(await mayBeMerged(await restored('share', from))).toBe('yes');
    expect(await mayBeMerged(await restored('private', from))).toBe('no');
  });

  it('is merged while instances are new; then the kernel looks no longer, and what is merged stays so', async () => {
    const from = await checkpoint();
    const clones = [await restored('share', from), await restored('share', from), await restored('share', from)];
    const consumption = consumptionOf(underTest());
    const alone = (await consumption.memoryOf(clones[0]?.name ?? '')) ?? 0;
    expect(alone).toBeGreaterThan(HELD_BYTES);

    const seen = { savedBytes: 0, instanceBytes: 0 };
    const pageMerging = new KernelPageMerging();
    const sharing = new MemorySharing({
      catalogue: new Catalogue([holder('share')]),
      inventory: {
        ofNode: () =>
          Promise.resolve(clones.map(({ name }) => ({ template: 'share', state: 'ready', container: name }))),
      },
      consumption,
      pageMerging,
      observer: {
        memoryShared: (savedBytes) => (seen.savedBytes = savedBytes),
        instanceMemory: (_, bytes) => (seen.instanceBytes = bytes),
      },
      node: { name: 'node-a' },
      log: createLogger('silent'),
    });
    try {
      await sharing.round();
      expect(await scans()).toBe('1');
      await eventually(async () => {
        await sharing.round();
        expect(await scans()).toBe('0');
      });
    } finally {
      await sharing.stop();
    }
    expect(await scans()).toBe('0');
    expect(seen.savedBytes).toBeGreaterThan(2 * HELD_BYTES);
    // Three hold what one did.
    expect(await consumption.memoryOf(clones[0]?.name ?? '')).toBeLessThan(alone - HELD_BYTES / 2);
  });

  const skipped = WHY_NO_SWAP === undefined ? '' : ` (skipped: ${WHY_NO_SWAP})`;
  if (WHY_NO_SWAP !== undefined) process.stderr.write(`Skipped: memory in swap; ${WHY_NO_SWAP}\n`);
  it.skipIf(WHY_NO_SWAP !== undefined)(
    `lies in swap while nobody has the instance, which serves all the same${skipped}`,
    async () => {
      await using swap = await ownSwap(128 * MIB);
      const spec = await started('swap');
      const consumption = consumptionOf(underTest());
      const before = (await consumption.memoryOf(spec.name)) ?? 0;
      expect(before).toBeGreaterThan(HELD_BYTES);
      const swapped: string[] = [];
      const stock = new SwapOutStock({
        catalogue: new Catalogue([holder('swap')]),
        inventory: {
          ofNode: () =>
            Promise.resolve([{ id: 'a', template: 'swap', state: 'ready', container: spec.name, readyAtMs: 0 }]),
        },
        consumption,
        observer: { swappedOut: (name) => swapped.push(name) },
        node: { name: 'node-a' },
        clock: { now: Date.now },
        log: createLogger('silent'),
      });
      await stock.round(never);
      expect(swapped).toEqual(['swap']);
      expect(await swap.used()).toBeGreaterThan(HELD_BYTES / 2);
      expect(await consumption.memoryOf(spec.name)).toBeLessThan(before - HELD_BYTES / 2);
      await untilReady(spec);
    },
  );
}

async function scans(): Promise<string> {
  return (await readFile('/sys/kernel/mm/ksm/run', 'utf8')).trim();
}
