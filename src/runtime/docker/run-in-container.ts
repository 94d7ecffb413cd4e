import type Dockerode from 'dockerode';
import { TryItNowError } from '../../domain/errors.ts';
import { deadlineSignal } from '../../lifecycle/deadline.ts';
import { eitherOf } from '../../lifecycle/either-of.ts';
import { sleep } from '../../lifecycle/sleep.ts';
import { untilAborted } from '../../lifecycle/until-aborted.ts';
import type { ContainerRuntime, ExecResult } from '../../pool/interfaces/container-runtime.ts';
import { engineAnswer } from './engine-errors.ts';
import { OutputTail, type Demultiplexer } from './output-tail.ts';

/** The program is somebody else's and may write without end. */
const OUTPUT_BYTES = 8 * 1024;
/** The output ends a little before the engine has taken note of the exit code. */
const EXIT_CODE_POLL_MS = 10;

type Call = Parameters<ContainerRuntime['exec']>[1];

/**
 * Runs the command and waits for its end. A command that does not end in time goes on running: only the end of the
 * container ends it for sure. Throws container_failed, and the engine's own errors when it does not answer at all.
 */
export async function runInContainer(
  container: Dockerode.Container,
  name: string,
  call: Call,
  signal: AbortSignal,
): Promise<ExecResult> {
  signal.throwIfAborted();
  const late = deadlineSignal(call.timeoutMs);
  using either = eitherOf(signal, late);
  const progress = { begun: false };
  try {
    // A request to the engine cannot be taken back.
    return await untilAborted(run(container, call, either.signal, progress), either.signal);
  } catch (error) {
    signal.throwIfAborted();
    const what = `The command ${JSON.stringify(call.command)} in ${name}`;
    // Nothing was answered: an engine's failure, not the command's.
    if (late.aborted && !progress.begun) throw new Error(`no answer within ${call.timeoutMs} ms`, { cause: error });
    if (late.aborted) throw new TryItNowError('container_failed', `${what} did not end within ${call.timeoutMs} ms`);
    const answer = engineAnswer(error);
    if (answer === undefined) throw error;
    throw new TryItNowError('container_failed', `${what} could not be run: ${answer.message}`, { cause: error });
  }
}

async function run(
  container: Dockerode.Container,
  { command, env }: Call,
  signal: AbortSignal,
  progress: { begun: boolean },
): Promise<ExecResult> {
  const exec = await container.exec({
    Cmd: [...command],
    Env: Object.entries(env).map(([key, value]) => `${key}=${value}`),
    AttachStdout: true,
    AttachStderr: true,
    abortSignal: signal,
  });
  progress.begun = true;
  const tail = new OutputTail(OUTPUT_BYTES);
  const stream = await exec.start({ Detach: false, Tty: false });
  // Also when the wait for the start was abandoned: the engine holds a connection for as long as somebody reads it.
  const hangUp = (): void => {
    stream.destroy();
  };
  if (signal.aborted) hangUp();
  signal.addEventListener('abort', hangUp, { once: true });
  try {
    (container.modem as Demultiplexer).demuxStream(stream, tail, tail);
    await new Promise<void>((resolve, reject) => {
      stream.once('end', resolve).once('close', resolve).once('error', reject);
    });
    return { exitCode: await exitCodeOf(exec, signal), output: tail.text() };
  } finally {
    signal.removeEventListener('abort', hangUp);
    stream.destroy();
  }
}

/** Of a command whose output has ended. */
export async function exitCodeOf(exec: Dockerode.Exec, signal: AbortSignal): Promise<number> {
  for (;;) {
    signal.throwIfAborted();
    const { Running, ExitCode } = await exec.inspect();
    if (!Running && ExitCode !== null) return ExitCode;
    await sleep(EXIT_CODE_POLL_MS, signal);
  }
}
