import { setPriority } from 'node:os';
import type { Consumption } from '../../src/pool/interfaces/consumption.ts';
import { killAll } from '../../src/runtime/docker/control-groups.ts';
import { deletedFileBytes } from '../../src/runtime/docker/deleted-files.ts';
import { closeEngineFiles } from '../../src/runtime/docker/engine-files.ts';
import { folderSizes } from '../../src/runtime/docker/folder-sizes.ts';
import { RuntimeServices } from '../../src/runtime/podman/runtime-services.ts';
import { loadEngine } from '../../src/runtime/engines.ts';
import { freshRandom } from '../../src/runtime/podman/checkpoint/fresh-random/fresh-random.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import type { RealEngine } from './container-engine.ts';

const never = new AbortController().signal;
const PLENTY = { bytes: 2 ** 40, files: 2 ** 30 };
const consumptions = new Map<string, Consumption>();

async function consumptionAt(engine: RealEngine, socketPath: string, deployment: string): Promise<Consumption> {
  const known = consumptions.get(socketPath);
  if (known !== undefined) return known;
  const loaded = await loadEngine(engine);
  if (!loaded.runsContainers) throw new Error(`${engine} runs no containers`);
  const made = loaded.createConsumption({ socketPath, deployment, node: 'node-a', log: createLogger('silent') });
  consumptions.set(socketPath, made);
  return made;
}

/** What LimitedProcess has done in its process, where this module is loaded as the program. */
const calls = {
  consumption: async (
    [engine, socketPath, deployment]: readonly [RealEngine, string, string],
    method: keyof Consumption,
    args: readonly unknown[],
  ): Promise<unknown> => {
    const made = await consumptionAt(engine, socketPath, deployment);
    const more = method === 'diskUse' ? [...args.slice(0, 2), never] : args;
    const asked = made[method].bind(made) as (...given: readonly unknown[]) => Promise<unknown>;
    return asked(...more);
  },
  sizes: (folder: string) => folderSizes([folder], PLENTY, never),
  deleted: (pid: number, device: number) => deletedFileBytes([pid], new Set([device]), never),
  killAll,
  closeEngineFiles,
  freshRandom,
  ownPodman: (socketPath: string) =>
    new RuntimeServices({ socketPath, log: createLogger('silent') }).of('runc').then(() => undefined),
  setPriority: (pid: number, priority: number) => Promise.resolve().then(() => setPriority(pid, priority)),
};

export type LimitedCalls = typeof calls;

interface Call {
  readonly id: number;
  readonly what: keyof LimitedCalls;
  readonly args: readonly unknown[];
}

process.on('message', ({ id, what, args }: Call) => {
  (calls[what] as (...given: readonly unknown[]) => Promise<unknown>)(...args).then(
    (value) => process.send?.({ id, value }),
    (error: unknown) => process.send?.({ id, failure: error instanceof Error ? error.message : String(error) }),
  );
});
