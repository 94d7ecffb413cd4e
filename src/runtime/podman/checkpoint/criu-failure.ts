import { readFile } from 'node:fs/promises';
import Type from 'typebox';
import Value from 'typebox/value';
import { TryItNowError } from '../../../domain/errors.ts';
import { engineAnswer, engineFailure } from '../../docker/engine-errors.ts';
import { libpod } from '../libpod-api.ts';
import { criuErrorLines, criuRemedy } from './criu-problems.ts';

const Logs = Type.Object({ State: Type.Object({ CheckpointLog: Type.Optional(Type.String()), RestoreLog: Type.Optional(Type.String()) }) });
/** A log is read for its errors only, and they stand at its end. */
const LOG_BYTES = 1024 * 1024;

/**
 * The failure with CRIU's own error lines, which stand in a file of the container and are gone with it: so this comes
 * before its removal. `what` completes "Podman could not …".
 */
export async function criuFailure(socketPath: string, name: string, code: 'checkpoint_failed' | 'restore_failed', what: string, error: unknown): Promise<TryItNowError> {
  if (error instanceof TryItNowError) return error;
  const answer = engineAnswer(error);
  if (answer === undefined) return new TryItNowError(code, engineFailure(error, { title: 'Podman', socketPath }, what).message, { cause: error });
  const lines = criuErrorLines(await logOf(socketPath, name, code === 'restore_failed' ? 'RestoreLog' : 'CheckpointLog'));
  const remedy = criuRemedy([...lines, answer.message]);
  const said = lines.length === 0 ? answer.message : `CRIU says: ${lines.join(' | ')}`;
  return new TryItNowError(code, `Podman could not ${what}: ${said}${remedy === undefined ? '' : ` (${remedy})`}`, { cause: error, details: { engine: answer.message, criu: lines } });
}

async function logOf(socketPath: string, name: string, which: 'CheckpointLog' | 'RestoreLog'): Promise<string> {
  try {
    const found = await libpod(socketPath, 'GET', `/containers/${encodeURIComponent(name)}/json`);
    const path = Value.Check(Logs, found) ? found.State[which] : undefined;
    return path === undefined ? '' : (await readFile(path)).subarray(-LOG_BYTES).toString();
  } catch {
    // Then the engine's own message has to do: it failed before CRIU was asked, or another removed the container.
    return '';
  }
}
