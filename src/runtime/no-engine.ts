import { TryItNowError } from '../domain/errors.ts';
import type { ContainerRuntime } from '../pool/interfaces/container-runtime.ts';
import type { StandIn, StandInBehaviour } from './engine.ts';

const NAME = 'none';

/**
 * Of a server that holds no instances itself: workers on other hosts do all that is done to containers. Nothing but the
 * server goes by it; what would need an engine is refused.
 */
export const NO_ENGINE = {
  name: NAME,
  title: 'No engine',
  runsContainers: false,
  restoresCheckpoints: false,
  relaysPorts: false,
  createRuntime: () => new NoEngine(),
} as const satisfies Omit<StandIn, 'socket'> & StandInBehaviour;

class NoEngine implements ContainerRuntime {
  readonly engine = NAME;

  prepare(): Promise<void> {
    return Promise.resolve();
  }

  start(): Promise<never> {
    return refuse('start a container');
  }

  remove(): Promise<never> {
    return refuse('remove a container');
  }

  exec(): Promise<never> {
    return refuse('run a command in a container');
  }

  output(): Promise<never> {
    return refuse('run a command in a container');
  }

  inspect(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  inside(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  logs(): Promise<never> {
    return refuse('read what a container wrote');
  }

  list(): Promise<[]> {
    return Promise.resolve([]);
  }

  watch(): Promise<never> {
    return refuse('tell of containers');
  }

  unprepare(): Promise<boolean> {
    return Promise.resolve(true);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** For whatever would need one on this host. */
export function noEngine(what: string): TryItNowError {
  return new TryItNowError(
    'engine_unavailable',
    `CONTAINER_MODE is ${NAME} here, so there is no container engine to ${what}; do it on a host with a ` +
      'worker, or name the engine of this one with CONTAINER_MODE',
  );
}

function refuse(what: string): Promise<never> {
  return Promise.reject(noEngine(what));
}
