import { NO_TRACER, type Tracer } from '../domain/tracer.ts';
import type { Trigger } from '../lifecycle/trigger.ts';
import type { ContainerRuntime } from '../pool/interfaces/container-runtime.ts';
import type { Databases } from '../pool/interfaces/databases.ts';
import { traced } from '../telemetry/tracing/traced.ts';

/** More than these would tell no more of why there is a refill. */
const MOST_ASKING = 8;

export interface TracedParts {
  readonly tracer: Tracer;
  readonly requestRefill: () => void;
  /** The traced spans that asked for a refill since this was last called, the newest of them. */
  readonly askedBy: () => readonly string[];
  readonly runtime: ContainerRuntime;
  readonly databases: Databases | undefined;
}

/** The parts whose calls are spans of their own, or that carry a trace on; as they are where nothing is traced. */
export function tracedParts(
  tracer: Tracer,
  parts: { readonly refill: Trigger } & Pick<TracedParts, 'runtime' | 'databases'>,
): TracedParts {
  const { refill, runtime, databases } = parts;
  const asking: string[] = [];
  return {
    tracer,
    requestRefill: () => {
      const asks = tracer.current();
      if (asks !== undefined) asking.push(asks);
      if (asking.length > MOST_ASKING) asking.shift();
      refill.fire();
    },
    askedBy: () => asking.splice(0),
    runtime: tracer === NO_TRACER ? runtime : traced(tracer, 'engine', runtime, ['start', 'remove', 'exec']),
    databases:
      databases === undefined || tracer === NO_TRACER
        ? databases
        : traced(tracer, 'database', databases, ['create', 'drop']),
  };
}
