import { Releasers } from '../../src/lifecycle/releasers.ts';
import { launchEngine } from '../support/container-engine.ts';
import { silent } from '../support/store.ts';
import { loadTinyImage } from '../support/tiny-image.ts';
import { judge, stage, type DrillOptions, type Outcome } from './outage-drill.ts';
import type { Scenario } from './outage-scenarios.ts';
import { startWorld, type World } from './outage-world.ts';

/**
 * Simulated instances for a crowd; Podman's own, which take their time, for a trickle, where its service is what fails.
 */
export type Engine = 'simulated' | 'podman';

export function engineFor({ part }: Scenario): Engine {
  return part === 'podman' ? 'podman' : 'simulated';
}

const CROWDS: Readonly<Record<Engine, Pick<DrillOptions, 'crowd' | 'residents'>>> = {
  simulated: { crowd: { arrivalsPerSecond: 5, stayMs: 2_000, template: 'tiny', webSocketPath: '/ws' }, residents: 5 },
  podman: {
    crowd: { arrivalsPerSecond: 0.5, stayMs: 2_000, template: 'tiny', webSocketPath: undefined },
    residents: 2,
  },
};

export interface Phases {
  readonly beforeMs: number;
  readonly outageMs: number;
  readonly patienceMs: number;
}

export interface Stage extends AsyncDisposable {
  readonly world: World;
  play(scenario: Scenario): Promise<{ readonly outcome: Outcome; readonly problems: readonly string[] }>;
}

/** One world in which one outage after another is staged. */
export async function openStage(
  engine: Engine,
  phases: Phases,
  options: { readonly databases: boolean; readonly env?: Readonly<Record<string, string>> },
): Promise<Stage> {
  const releasers = new Releasers();
  const dispose = (): Promise<void> => releasers.releaseAll(silent);
  try {
    const world =
      engine === 'simulated'
        ? await startWorld({ engine, app: {}, target: 100, max: 250, workers: 8, ports: 700, ...options }, releasers)
        : await podmanWorld(releasers);
    return {
      world,
      play: async (scenario) => {
        const outcome = await stage(world, scenario, { ...CROWDS[engine], ...phases });
        return { outcome, problems: judge(outcome) };
      },
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function podmanWorld(releasers: Releasers): Promise<World> {
  const podman = await launchEngine('podman');
  releasers.push('podman for the image', () => podman[Symbol.asyncDispose]());
  const image = await loadTinyImage(podman.socketPath);
  releasers.push('image', () => image[Symbol.asyncDispose]());
  const app = { image: image.name, limits: { memory: '16MiB', cpus: 0.5, pids: 16 } };
  return startWorld({ engine: 'podman', app, target: 8, max: 30, workers: 4, databases: false, ports: 100 }, releasers);
}
