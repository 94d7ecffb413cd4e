import { Infrastructure } from './infrastructure.ts';
import type { Config } from '../config/config.ts';
import { systemClock } from '../domain/clock.ts';
import { TryItNowError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { freePort } from '../launcher/tcp-ports.ts';
import { Releasers } from '../lifecycle/releasers.ts';
import type { ContainerRuntime } from '../pool/interfaces/container-runtime.ts';
import type { TrialDeps } from '../pool/try-template.ts';
import type { EngineInspection } from '../runtime/engine.ts';
import { CONTAINER_ENGINES } from '../runtime/engines.ts';
import { HttpProbe } from '../runtime/readiness/http-probe.ts';

export interface TrialContext extends TrialDeps {
  /** What people call the engine. */
  readonly engine: string;
  readonly inspection: EngineInspection;
  readonly close: () => Promise<void>;
}

/**
 * What the commands that try an image work with: an engine, and no server of ours. Its containers and networks are a
 * deployment of their own, so that a server beside it keeps what it has. Throws engine_unavailable.
 */
export async function openTrialContext(server: Config, log: Log): Promise<TrialContext> {
  const config = { ...server, deployment: `${server.deployment}-try` };
  const releasers = new Releasers();
  try {
    const { engine, runtime } = await new Infrastructure({ config, log, releasers }).openEngine({
      toDo: 'try an image with',
    });
    if (!engine.runsContainers)
      throw new TryItNowError(
        'engine_unavailable',
        `Neither ${CONTAINER_ENGINES.map(({ title }) => title).join(' nor ')} answers here, and an image cannot be ` +
          'tried without one; start one, or name its socket',
      );
    // The rules and networks go with the last container, be it another trial's.
    releasers.push('networks', () => runtime.unprepare());
    await removeOverdue(runtime);
    return {
      engine: engine.title,
      inspection: engine.inspect(config.containers.sockets[engine.name]),
      runtime,
      probe: new HttpProbe(),
      node: config.node,
      freePort: () => freePort(config.node.address),
      close: () => releasers.releaseAll(log),
    };
  } catch (error) {
    await releasers.releaseAll(log);
    throw error;
  }
}

/** What a trial that was killed left behind. */
async function removeOverdue(runtime: ContainerRuntime): Promise<void> {
  for (const { name, keepUntilMs } of await runtime.list())
    if (keepUntilMs !== undefined && keepUntilMs < systemClock.now()) await runtime.remove(name);
}
