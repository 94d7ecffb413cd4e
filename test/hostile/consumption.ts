import { once } from 'node:events';
import { connect } from 'node:net';
import { expect } from 'vitest';
import type { Consumption, DiskUse } from '../../src/pool/interfaces/consumption.ts';
import { loadEngine } from '../../src/runtime/engines.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { eventually } from '../support/eventually.ts';
import type { RealEngine } from '../support/container-engine.ts';
import type { RunAttack } from './kernel-answers.ts';

const MIB = 2 ** 20;
const never = new AbortController().signal;
const PLENTY: DiskUse = { bytes: 2 ** 40, files: 2 ** 30 };
/** Ways to hide what is written from who looks for it, each with how much that is at least. */
const WAYS: Readonly<Record<string, DiskUse>> = {
  'bytes+4': { bytes: 4 * MIB, files: 2 },
  'closed+4': { bytes: 4 * MIB, files: 3 },
  'deep+4': { bytes: 4 * MIB, files: 22 },
  'deleted+4': { bytes: 4 * MIB, files: 1 },
  'mapped+4': { bytes: 4 * MIB, files: 1 },
  'mapped-low+4': { bytes: 4 * MIB, files: 1 },
  'files+2000': { bytes: 0, files: 2001 },
  'moving+4': { bytes: 4 * MIB, files: 12 },
};
/** One lucky look finds what is moved about as well. */
const LOOKS_AT_MOVING = 5;

/** Reading them costs a tenth of a second and more. */
const FLOOD_LINES = 600_000;
const FLOOD_COSTS_MS = 20;

export async function consumptionOf(engine: RealEngine, socketPath: string, deployment: string): Promise<Consumption> {
  const loaded = await loadEngine(engine);
  if (!loaded.runsContainers) throw new Error(`${engine} runs no containers`);
  return loaded.createConsumption({ socketPath, deployment, node: 'node-a', log: createLogger('silent') });
}

/**
 * Whatever a program inside writes, and however it hides it, is counted; `run` runs the attacks in `container`. `few`:
 * without what hides by its number or its haste, which takes a minute and is the same for every user.
 */
export async function expectCounted(
  run: RunAttack,
  consumption: Consumption,
  container: string,
  { few }: { readonly few: boolean } = { few: false },
): Promise<void> {
  const use = async (most = PLENTY): Promise<DiskUse> => {
    const seen = await consumption.diskUse(container, most, never);
    if (seen === undefined) throw new Error(`nobody can see what ${container} has written`);
    return seen;
  };
  for (const [way, wrote] of Object.entries(WAYS).filter(([each]) => !few || !/^(files|moving)/.test(each))) {
    const before = await use();
    expect(await run('fill-disk', way)).toBe('filled\n');
    for (let look = 0; look < (way.startsWith('moving') ? LOOKS_AT_MOVING : 1); look += 1) {
      const after = await use();
      expect([way, after.bytes - before.bytes >= wrote.bytes, after.files - before.files >= wrote.files]).toEqual([
        way,
        true,
        true,
      ]);
    }
  }
  if (few) return;
  // Behind more than anybody looks through there may be anything.
  expect(await run('fill-disk', 'crowd+4')).toBe('filled\n');
  expect((await use()).bytes).toBe(Infinity);
  // It looks no further than it has to.
  expect((await use({ bytes: 2 ** 40, files: 100 })).files).toBeLessThanOrEqual(101);
}

/** What an instance takes of processors is seen and can be bounded, and so is who visits it; `cpus`: its limit. */
export async function expectProcessorWatched(
  run: RunAttack,
  consumption: Consumption,
  { name, hostPort }: { readonly name: string; readonly hostPort: number },
  cpus: number,
): Promise<void> {
  const cpuMs = (await consumption.cpuMs(name)) ?? Infinity;
  const outputMs = (await consumption.outputMs(name)) ?? Infinity;
  expect(await run('flood-output', String(FLOOD_LINES))).toBe('written\n');
  expect(await consumption.cpuMs(name)).toBeGreaterThan(cpuMs);
  await eventually(async () => expect(await consumption.outputMs(name)).toBeGreaterThan(outputMs + FLOOD_COSTS_MS));

  expect(await consumption.cpuLimit(name)).toBeCloseTo(cpus, 3);
  await consumption.limitCpu(name, cpus / 10);
  expect(await consumption.cpuLimit(name)).toBeCloseTo(cpus / 10, 3);
  await consumption.limitCpu(name, cpus);
  expect(await consumption.cpuLimit(name)).toBeCloseTo(cpus, 3);

  expect(await consumption.cpuShare(name)).toBe(1);
  await consumption.weighCpu(name, 1 / 64);
  expect(await consumption.cpuShare(name)).toBeCloseTo(1 / 64, 2);
  await consumption.weighCpu(name, 1);
  expect(await consumption.cpuShare(name)).toBe(1);

  const visitor = connect({ host: '127.0.0.1', port: hostPort });
  try {
    await once(visitor, 'connect');
    await eventually(async () => expect(await consumption.isConnected(name, 80)).toBe(true));
    expect(await consumption.isConnected(name, 81)).toBe(false);
  } finally {
    visitor.destroy();
  }
  await eventually(async () => expect(await consumption.isConnected(name, 80)).toBe(false));

  const refused = (await consumption.refusedProcesses(name)) ?? Infinity;
  expect(await run('fork-bomb', 'once')).toBe('refused\n');
  expect(await consumption.refusedProcesses(name)).toBeGreaterThan(refused);
}
