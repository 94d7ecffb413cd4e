import { ERROR_CATALOGUE, TryItNowError, describeError, type ErrorCode } from '../domain/errors.ts';
import { explainFailure, signalOf, type FailureFacts, type LastSeen } from '../domain/explain-failure.ts';
import { FAILURE_REPORT_VERSION, OUTPUT_KEPT, type FailureReport } from '../domain/failure-report.ts';
import type { Template } from '../domain/template.ts';
import type { ContainerRuntime } from './interfaces/container-runtime.ts';

type Runtime = Pick<ContainerRuntime, 'inspect' | 'inside' | 'logs'>;

/** What an app can be at fault for; anything else is told by who threw it. */
const OF_THE_APP: ReadonlySet<ErrorCode> = new Set([
  'not_ready_in_time',
  'container_exited',
  'container_failed',
  'activation_failed',
]);
const OUTPUT_LINES = 60;
/* eslint-disable no-control-regex -- control characters are exactly what must go */
const ESCAPES = /\u001b\[[0-9;?]*[ -/]*[@-~]/g;
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;
/* eslint-enable no-control-regex */

/** What a failure was found to be. */
export interface Diagnosis {
  readonly error: TryItNowError;
  readonly report: FailureReport;
}

export interface DiagnosedAttempt {
  readonly template: Template;
  readonly instance: string;
  readonly container: string;
  readonly node: string;
  readonly atMs: number;
}

/** Looks at what failed while it is still there. Never throws: what cannot be found out is left out. */
export async function diagnose(
  { runtime }: { readonly runtime: Runtime },
  attempt: DiagnosedAttempt,
  thrown: unknown,
): Promise<Diagnosis> {
  const { template, container } = attempt;
  const code = thrown instanceof TryItNowError ? thrown.code : 'internal_error';
  const message = describeError(thrown);
  if (!OF_THE_APP.has(code))
    return diagnosis(attempt, { code, reason: message, remedy: ERROR_CATALOGUE[code].remedy }, thrown);
  const { facts, output } = await collect(runtime, container);
  const explained = explainFailure({ ...facts, template, output, step: { code, message }, seen: lastSeen(thrown) });
  return diagnosis(attempt, explained, undefined, { exitCode: facts.ended?.exitCode, output });
}

function diagnosis(
  { template, instance, node, atMs }: DiagnosedAttempt,
  { code, reason, remedy }: { readonly code: ErrorCode; readonly reason: string; readonly remedy: string },
  cause: unknown,
  { exitCode, output = '' }: { readonly exitCode?: number | undefined; readonly output?: string } = {},
): Diagnosis {
  const report: FailureReport = {
    v: FAILURE_REPORT_VERSION,
    instance,
    template: template.name,
    node,
    atMs,
    code,
    reason,
    remedy,
    exitCode: exitCode ?? null,
    signal: (exitCode === undefined ? undefined : signalOf(exitCode)) ?? null,
    output,
  };
  const error = new TryItNowError(code, `${reason}. ${remedy}`, {
    details: { report },
    ...(cause instanceof TryItNowError && cause.retryAfterMs !== undefined ? { retryAfterMs: cause.retryAfterMs } : {}),
  });
  return { error, report };
}

async function collect(
  runtime: Runtime,
  container: string,
): Promise<{ readonly facts: Pick<FailureFacts, 'ended' | 'oomKills' | 'listening'>; readonly output: string }> {
  const [condition, inside, output] = await Promise.all([
    runtime.inspect(container).catch(() => undefined),
    runtime.inside(container).catch(() => undefined),
    runtime.logs(container, OUTPUT_LINES).catch(() => ''),
  ]);
  return {
    facts: {
      ended: condition?.running === false ? condition : undefined,
      oomKills: inside?.oomKills ?? 0,
      listening: inside?.listening,
    },
    output: printable(output),
  };
}

/** The end of it; lines stay lines, and what would steer a terminal goes. */
function printable(output: string): string {
  return output.replace(ESCAPES, '').replace(CONTROL, '').trimEnd().slice(-OUTPUT_KEPT);
}

function lastSeen(thrown: unknown): LastSeen | undefined {
  return thrown instanceof TryItNowError ? (thrown.details?.['seen'] as LastSeen | undefined) : undefined;
}
