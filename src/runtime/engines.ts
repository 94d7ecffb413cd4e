import { DOCKER } from './docker/descriptor.ts';
import type { ContainerEngine, ContainerEngineBehaviour, StandIn, StandInBehaviour } from './engine.ts';
import type { NO_ENGINE } from './no-engine.ts';
import { PODMAN } from './podman/descriptor.ts';
import { SIMULATED } from './simulated/descriptor.ts';

type Listed =
  | (ContainerEngine & { readonly load: () => Promise<{ readonly behaviour: ContainerEngineBehaviour }> })
  | (StandIn & { readonly load: () => Promise<{ readonly behaviour: StandInBehaviour }> });

/**
 * Every engine there is, in the order in which CONTAINER_MODE=auto tries them. Settings, the doctor, `up` and
 * the adapters go by this list. Only what an engine tells of itself is loaded with it: what it can do comes
 * along when it is chosen.
 */
export const ENGINES = [
  { ...PODMAN, load: () => import('./podman/engine.ts') },
  { ...DOCKER, load: () => import('./docker/engine.ts') },
  { ...SIMULATED, load: () => import('./simulated/engine.ts') },
] as const satisfies readonly Listed[];

/** What CONTAINER_MODE=auto is left with where no container engine answers. */
export const STAND_IN = SIMULATED;

export type KnownEngine = (typeof ENGINES)[number];
export type EngineName = KnownEngine['name'];

/** Where each is; those that run containers have a default. */
export type EngineSockets = {
  readonly [Known in KnownEngine as Known['name']]: Known extends ContainerEngine ? string : string | undefined;
} & { readonly [NO_ENGINE.name]?: undefined };

type Loaded<E> = E extends ContainerEngine ? E & ContainerEngineBehaviour : E & StandInBehaviour;
/** One with all it can do. */
export type Engine = Loaded<KnownEngine> | typeof NO_ENGINE;

const BY_NAME = Object.fromEntries(ENGINES.map((engine) => [engine.name, engine])) as {
  readonly [Known in KnownEngine as Known['name']]: Known;
};

export const ENGINE_NAMES: readonly EngineName[] = ENGINES.map(({ name }) => name);
export const CONTAINER_ENGINES = ENGINES.filter((engine) => engine.runsContainers);
export const RESTORING_ENGINES = ENGINES.filter((engine) => engine.restoresCheckpoints);

/** For people. */
export const RESTORING_TITLES = RESTORING_ENGINES.map(({ title }) => title).join(' and ');
export const WHO_RESTORES =
  `only ${RESTORING_TITLES} ${RESTORING_ENGINES.length > 1 ? 'restore' : 'restores'} ` + 'checkpoints';

export function engineCalled(name: EngineName): KnownEngine {
  return BY_NAME[name];
}

/** Undefined for one that this version does not know; a record may be another version's. */
export function findEngine(name: string): KnownEngine | undefined {
  return ENGINES.find((engine) => engine.name === name);
}

export async function loadEngine(name: EngineName): Promise<Engine> {
  const engine = engineCalled(name);
  return { ...engine, ...(await engine.load()).behaviour } as Engine;
}
