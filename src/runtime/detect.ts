import { Client } from 'undici';
import { engineFailure } from './docker/engine-errors.ts';

interface EngineTried {
  readonly engine: 'podman' | 'docker';
  readonly usable: boolean;
  /** For people: why it is or is not taken. */
  readonly reason: string;
}

export interface Detected {
  readonly engine: 'podman' | 'docker' | 'simulated';
  readonly tried: readonly EngineTried[];
}

const ANSWER_WITHIN_MS = 2_000;

/** For CONTAINER_MODE=auto: Podman if its socket answers, else Docker, else simulated, with the reason for each one tried. */
export async function detectEngine(sockets: { readonly podman: string; readonly docker: string }): Promise<Detected> {
  const tried: EngineTried[] = [];
  for (const engine of ['podman', 'docker'] as const) {
    const attempt = await tryEngine(engine, sockets[engine]);
    tried.push(attempt);
    if (attempt.usable) return { engine, tried };
  }
  return { engine: 'simulated', tried };
}

async function tryEngine(engine: EngineTried['engine'], socketPath: string): Promise<EngineTried> {
  const title = engine === 'podman' ? 'Podman' : 'Docker';
  const client = new Client('http://engine', { socketPath, pipelining: 0 });
  try {
    const { statusCode, headers, body } = await client.request({
      method: 'GET',
      path: '/_ping',
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    await body.dump();
    if (statusCode !== 200)
      return { engine, usable: false, reason: `${title}: ${socketPath} answers with status ${statusCode}` };
    // Podman's service also answers as Docker; only its own header tells.
    const isPodman = headers['libpod-api-version'] !== undefined;
    if (isPodman !== (engine === 'podman'))
      return {
        engine,
        usable: false,
        reason: `${title}: what answers on ${socketPath} is ${isPodman ? 'Podman' : 'not Podman'}`,
      };
    return { engine, usable: true, reason: `${title} answers on ${socketPath}` };
  } catch (error) {
    return { engine, usable: false, reason: engineFailure(error, { title, socketPath }, 'be used').message };
  } finally {
    await client.destroy();
  }
}
