import { ERROR_CATALOGUE, TryItNowError, describeError, type ErrorCode } from '../domain/errors.ts';
import { explainFailure, signalOf, type Explanation } from '../domain/explain-failure.ts';
import type { FailureFacts, LastSeen } from '../domain/failure-facts.ts';
import { proposeChange } from '../domain/propose-change.ts';
import type { TemplateChange } from '../domain/template-change.ts';
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
/** Of what an app wrote, the end, before it is cut to what is kept. */
export const OUTPUT_LINES = 60;
/* oxlint-disable no-control-regex -- control characters are exactly what must go */
const ESCAPES = /\u001b\[[0-9;?]*[ -/]*[@-~]/g;
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;
/* oxlint-enable no-control-regex */

/** What a failure was found to be. */
export interface Diagnosis {
  /** As thrown, where nobody foresaw it. */
  readonly error: unknown;
  readonly report: FailureReport;
  /** False where something else failed, so that nothing was looked for in the container. */
  readonly ofTheApp: boolean;
  /** What could be tried without a person. */
  readonly change?: TemplateChange | undefined;
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
  if (!OF_THE_APP.has(code)) {
    const report = reportFor(attempt, { code, reason: message, remedy: ERROR_CATALOGUE[code].remedy });
    const known = thrown instanceof TryItNowError;
    return {
      error: known ? new TryItNowError(code, message, { details: { report } }) : thrown,
      report,
      ofTheApp: false,
    };
  }
  const { facts, output } = await collect(runtime, container);
  const all = {
    ...facts,
    template,
    output,
    step: { code, message, service: failedService(thrown) },
    seen: lastSeen(thrown),
  };
  const explained = explainFailure(all);
  const report = reportFor(attempt, explained, { exitCode: facts.ended?.exitCode, output });
  const { reason, remedy } = explained;
  return {
    error: new TryItNowError(explained.code, `${reason}. ${remedy}`, { details: { report } }),
    report,
    ofTheApp: true,
    change: proposeChange(all),
  };
}

export function reportFor(
  { template, instance, node, atMs }: Omit<DiagnosedAttempt, 'container'>,
  { code, reason, remedy }: Explanation,
  { exitCode, output = '' }: { readonly exitCode?: number | undefined; readonly output?: string } = {},
): FailureReport {
  return {
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
export function printable(output: string): string {
  return output.replace(ESCAPES, '').replace(CONTROL, '').trimEnd().slice(-OUTPUT_KEPT);
}

function lastSeen(thrown: unknown): LastSeen | undefined {
  return thrown instanceof TryItNowError ? (thrown.details?.['seen'] as LastSeen | undefined) : undefined;
}

function failedService(thrown: unknown): string | undefined {
  return thrown instanceof TryItNowError ? (thrown.details?.['service'] as string | undefined) : undefined;
}
