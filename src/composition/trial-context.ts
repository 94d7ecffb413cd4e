import { Infrastructure } from './infrastructure.ts';
import type { Config } from '../config/config.ts';
import { TryItNowError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { freePort } from '../launcher/tcp-ports.ts';
import { Releasers } from '../lifecycle/releasers.ts';
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

/** What the commands that try an image work with: an engine, and no server of ours. Throws engine_unavailable. */
export async function openTrialContext(config: Config, log: Log): Promise<TrialContext> {
  const releasers = new Releasers();
  try {
    const { engine, runtime } = await new Infrastructure({ config, log, releasers }).openEngine();
    if (!engine.runsContainers)
      throw new TryItNowError(
        'engine_unavailable',
        `Neither ${CONTAINER_ENGINES.map(({ title }) => title).join(' nor ')} answers here, and an image cannot be ` +
          'tried without one; start one, or name its socket',
      );
    // The rules and networks are the deployment's: they go with the last container, be it a server's.
    releasers.push('networks', () => runtime.unprepare());
    return {
      engine: engine.title,
      inspection: engine.inspect(config.containers.sockets[engine.name]),
      runtime,
      probe: new HttpProbe(),
      node: config.node,
      freePort: () => freePort(),
      close: () => releasers.releaseAll(log),
    };
  } catch (error) {
    await releasers.releaseAll(log);
    throw error;
  }
}
