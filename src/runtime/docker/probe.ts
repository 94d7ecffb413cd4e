import { Client, type Dispatcher } from 'undici';
import { deadlineSignal } from '../../lifecycle/deadline.ts';
import type { ContainerEngine, EngineAttempt } from '../engine.ts';
import { engineFailure } from './engine-errors.ts';

export type PingHeaders = Dispatcher.ResponseData['headers'];

const ANSWER_WITHIN_MS = 2_000;

/** Podman's service also answers as Docker; only its own header tells. */
export function isLibpod(headers: PingHeaders): boolean {
  return headers['libpod-api-version'] !== undefined;
}

/** Whether the engine itself answers there. `stranger` names who else does, by the headers of the answer. */
export async function probeSocket(
  { title }: Pick<ContainerEngine, 'title'>,
  socketPath: string,
  stranger: (headers: PingHeaders) => string | undefined,
): Promise<EngineAttempt> {
  const client = new Client('http://engine', { socketPath, pipelining: 0 });
  try {
    const { statusCode, headers, body } = await client.request({
      method: 'GET',
      path: '/_ping',
      signal: deadlineSignal(ANSWER_WITHIN_MS),
    });
    await body.dump();
    if (statusCode !== 200)
      return { usable: false, reason: `${title}: ${socketPath} answers with status ${statusCode}` };
    const other = stranger(headers);
    return other === undefined
      ? { usable: true, reason: `${title} answers on ${socketPath}` }
      : { usable: false, reason: `${title}: what answers on ${socketPath} is ${other}` };
  } catch (error) {
    return { usable: false, reason: engineFailure(error, { title, socketPath }, 'be used').message };
  } finally {
    await client.destroy();
  }
}
