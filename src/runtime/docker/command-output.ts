import type Dockerode from 'dockerode';
import { untilAborted } from '../../lifecycle/until-aborted.ts';
import type { CommandOutput } from '../../pool/interfaces/container-runtime.ts';
import { OutputTail } from './output-tail.ts';
import { exitCodeOf } from './run-in-container.ts';

/** Of what it writes to standard error. */
const ERROR_BYTES = 8 * 1024;
const HEADER_BYTES = 8;
const STDOUT = 1;

/**
 * Runs the command for its standard output. Hangs up when the signal is aborted: the command then finds nobody to write
 * to, and ends at the latest with its container. Throws the engine's own errors.
 */
export async function commandOutput(
  container: Dockerode.Container,
  command: readonly string[],
  signal: AbortSignal,
): Promise<CommandOutput> {
  signal.throwIfAborted();
  const exec = await container.exec({ Cmd: [...command], AttachStdout: true, AttachStderr: true, abortSignal: signal });
  const errors = new OutputTail(ERROR_BYTES);
  const starting = exec.start({ Detach: false, Tty: false });
  // Also when the wait for it was abandoned.
  void starting.then(
    (stream) => {
      if (signal.aborted) stream.destroy();
      else signal.addEventListener('abort', () => stream.destroy(signal.reason as Error), { once: true });
    },
    () => undefined,
  );
  const stream = await untilAborted(starting, signal);
  return {
    stdout: stdoutOf(stream, errors),
    result: async () => ({ exitCode: await exitCodeOf(exec, signal), output: errors.text() }),
  };
}

/**
 * An engine sends both streams over one connection: pieces, each after a header with which of them it is of and how
 * long it is. The library's own splitting takes no heed of who reads slowly.
 */
async function* stdoutOf(stream: AsyncIterable<unknown>, errors: OutputTail): AsyncGenerator<Uint8Array> {
  let header = Buffer.alloc(0);
  let left = 0;
  for await (const chunk of stream) {
    let bytes = chunk as Buffer;
    while (bytes.length > 0) {
      if (left === 0) {
        const missing = HEADER_BYTES - header.length;
        header = Buffer.concat([header, bytes.subarray(0, missing)]);
        bytes = bytes.subarray(missing);
        if (header.length < HEADER_BYTES) break;
        left = header.readUInt32BE(4);
      }
      const piece = bytes.subarray(0, left);
      bytes = bytes.subarray(left);
      left -= piece.length;
      if (piece.length > 0 && header[0] === STDOUT) yield piece;
      else errors.write(piece);
      if (left === 0) header = Buffer.alloc(0);
    }
  }
  if (left > 0 || header.length > 0) throw new Error('the engine broke off in the middle of the output');
}
