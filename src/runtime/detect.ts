import type { EngineAttempt } from './engine.ts';
import { CONTAINER_ENGINES, STAND_IN, type EngineName } from './engines.ts';

export interface Detected {
  readonly engine: EngineName;
  readonly tried: readonly (EngineAttempt & { readonly engine: EngineName })[];
}

/**
 * For CONTAINER_MODE=auto: the first that answers on its socket, else the stand-in, with the reason for each one tried.
 */
export async function detectEngine(sockets: { readonly [Name in EngineName]?: string | undefined }): Promise<Detected> {
  const tried: Detected['tried'][number][] = [];
  for (const { name: engine, load } of CONTAINER_ENGINES) {
    const socketPath = sockets[engine];
    if (socketPath === undefined) continue;
    const { behaviour } = await load();
    const attempt = { engine, ...(await behaviour.probe(socketPath)) };
    tried.push(attempt);
    if (attempt.usable) return { engine, tried };
  }
  return { engine: STAND_IN.name, tried };
}
