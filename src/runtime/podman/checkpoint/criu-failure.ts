import { open } from 'node:fs/promises';
import { join } from 'node:path';
import Type from 'typebox';
import Value from 'typebox/value';
import { TryItNowError, describeError } from '../../../domain/errors.ts';
import { hostTrouble, isHostTrouble } from '../../../domain/host-trouble.ts';
import { engineAnswer, engineFailure, isUnreachable } from '../../docker/engine-errors.ts';
import { libpod } from '../libpod-api.ts';
import { criuErrorLines, criuRemedy } from './criu-problems.ts';

const Logs = Type.Object({ State: Type.Object({ RestoreLog: Type.String() }) });
/** A log is read for its errors only, and they stand at its end; the log of a CRIU gone wild can be of any size. */
const LOG_BYTES = 1024 * 1024;

/**
 * The failure with CRIU's own error lines, which stand in a file of the container and are gone with it: so this comes
 * before its removal. `what` completes "Podman could not …". engine_unavailable when Podman does not answer,
 * host_failed for what is this host's own trouble, on our side or on Podman's: neither says anything against a
 * checkpoint.
 */
export async function criuFailure(
  socketPath: string,
  name: string,
  code: 'checkpoint_failed' | 'restore_failed',
  what: string,
  error: unknown,
): Promise<TryItNowError> {
  if (error instanceof TryItNowError) return error;
  const answer = engineAnswer(error);
  if (isUnreachable(error)) return engineFailure(error, { title: 'Podman', socketPath }, what);
  if (answer === undefined) {
    const trouble = hostTrouble(error);
    const why = trouble === undefined ? describeError(error) : `${trouble} (${describeError(error)})`;
    return new TryItNowError(trouble === undefined ? code : 'host_failed', `Podman could not ${what}: ${why}`, {
      cause: error,
    });
  }
  const path = await logPath(socketPath, name, answer.message);
  // None: the engine's own message has to do, it failed before CRIU was asked.
  const lines = path === undefined ? [] : criuErrorLines(await endOf(path).catch(() => ''));
  const remedy = criuRemedy([...lines, answer.message]);
  const said = lines.length === 0 ? answer.message : `CRIU says: ${lines.join(' | ')}`;
  const kind = [answer.message, ...lines].some(isHostTrouble) ? 'host_failed' : code;
  return new TryItNowError(kind, `Podman could not ${what}: ${said}${remedy === undefined ? '' : ` (${remedy})`}`, {
    cause: error,
    details: { engine: answer.message, criu: lines },
  });
}

/** Podman names the log of a failed restore in the container's state; of a failed dump only in the command it shows. */
async function logPath(socketPath: string, name: string, message: string): Promise<string | undefined> {
  const folder = /--work-path (\S+)/.exec(message)?.[1];
  if (folder !== undefined) return join(folder, 'dump.log');
  const found = await libpod(socketPath, 'GET', `/containers/${encodeURIComponent(name)}/json`).catch(() => undefined);
  return Value.Check(Logs, found) ? found.State.RestoreLog : /log file: (\S+?):? /.exec(message)?.[1];
}

async function endOf(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read(Buffer.alloc(LOG_BYTES), 0, LOG_BYTES, Math.max(0, size - LOG_BYTES));
    return buffer.subarray(0, bytesRead).toString();
  } finally {
    await file.close();
  }
}
