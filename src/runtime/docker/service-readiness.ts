import { readFile } from 'node:fs/promises';
import { TryItNowError, describeError } from '../../domain/errors.ts';
import type { Service, ServiceReadiness } from '../../domain/service.ts';
import { sleep } from '../../lifecycle/sleep.ts';
import type { ExecResult } from '../../pool/interfaces/container-runtime.ts';

/** What is asked of the engine about a service that has been started. */
export interface ServiceProbe {
  readonly state: () => Promise<{ readonly running: boolean; readonly pid: number; readonly exitCode: number }>;
  readonly exec: (command: readonly string[], timeoutMs: number) => Promise<ExecResult>;
  readonly output: () => Promise<string>;
}

const LOOK_EVERY_MS = 100;
const COMMAND_TIMEOUT_MS = 10_000;
const LISTEN = '0A';

/** A service with the name of its container. */
type StartedService = Pick<Service, 'name' | 'readiness'> & { readonly container: string };

/** Throws container_failed with what the service wrote, as soon as it ends or when its time is over. */
export async function untilServiceReady(
  service: StartedService,
  probe: ServiceProbe,
  signal: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + service.readiness.timeoutMs;
  for (;;) {
    signal.throwIfAborted();
    const { running, pid, exitCode } = await probe.state();
    if (!running) throw await failure(service, `ended with exit code ${exitCode} before it was ready`, probe);
    const missing = await whatIsMissing(service.readiness, pid, probe);
    if (missing === undefined) return;
    if (performance.now() > deadline)
      throw await failure(service, `was not ready within ${service.readiness.timeoutMs} ms: ${missing}`, probe);
    await sleep(LOOK_EVERY_MS, signal);
  }
}

/** Undefined when it is ready. */
async function whatIsMissing(
  readiness: ServiceReadiness,
  pid: number,
  probe: ServiceProbe,
): Promise<string | undefined> {
  switch (readiness.kind) {
    case 'running':
      return undefined;
    case 'tcp':
      return (await listensInNamespace(pid, readiness.port)) ? undefined : `nothing listens at port ${readiness.port}`;
    case 'exec': {
      const { exitCode, output } = await probe.exec(readiness.command, COMMAND_TIMEOUT_MS).catch((error: unknown) => ({
        exitCode: -1,
        output: describeError(error),
      }));
      return exitCode === 0
        ? undefined
        : `${readiness.command[0] ?? ''} ended with exit code ${exitCode} (${output.trim().slice(-200)})`;
    }
  }
}

/** Read from the kernel, so that a service on 127.0.0.1, where the host cannot connect to, counts. */
async function listensInNamespace(pid: number, port: number): Promise<boolean> {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  for (const table of ['tcp', 'tcp6']) {
    const lines = await readFile(`/proc/${pid}/net/${table}`, 'utf8').catch(() => '');
    const found = lines.split('\n').some((line) => {
      const [, local = '', , state] = line.trim().split(/\s+/);
      return local.endsWith(wanted) && state === LISTEN;
    });
    if (found) return true;
  }
  return false;
}

async function failure({ name, container }: StartedService, how: string, probe: ServiceProbe): Promise<TryItNowError> {
  const output = (await probe.output().catch(() => '')).trim();
  return new TryItNowError(
    'container_failed',
    `The service ${name} (${container}) ${how}${output === '' ? '; it wrote nothing' : `. Its last lines: ${output}`}`,
    { details: { service: name } },
  );
}
