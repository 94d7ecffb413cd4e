import type { Environment } from '../../config/environment.ts';
import { loadConfig } from '../../config/load.ts';
import { openDoctorContext } from '../../composition/doctor-context.ts';
import { failure, notChecked, ok, runChecks, warning, type Diagnosis, type Observation } from '../../doctor/check.ts';
import { TryItNowError } from '../../domain/errors.ts';
import { withDeadline } from '../../lifecycle/deadline.ts';
import { createLogger } from '../../telemetry/logger.ts';
import { fittedTable, printJson } from '../output.ts';

export interface DoctorOptions {
  readonly json?: true;
}

const EXIT_FAILURE = 1;
/** For what still waits for a part that hangs. */
const LINGER_MS = 200;
/** For removing what a slow trial of checkpoints made; an engine that hangs is not waited for longer. */
const TIDY_MS = 60_000;
const CONFIG_REMEDY =
  "Fix the variable named, in the environment or in the server's environment file, and restart the server; " +
  'docs/reference/config.md lists them all.';
const MARKS = { ok: 'ok', warning: 'warning', failure: 'FAILURE', not_looked_at: 'unchecked' } as const;

/** Looks at every part, changes nothing, and never throws for what it finds. */
export async function doctor(env: Environment, { json }: DoctorOptions): Promise<void> {
  const found = await diagnose(env);
  if (json === true)
    printJson({
      healthy: !found.some(({ verdict }) => verdict === 'failure'),
      checks: found.map(({ part, what, verdict, seen, remedy }) => ({
        part,
        check: what,
        verdict,
        seen,
        remedy: remedy ?? null,
      })),
    });
  else print(found);
  process.exitCode = found.some(({ verdict }) => verdict === 'failure') ? EXIT_FAILURE : 0;
  setTimeout(() => process.exit(), LINGER_MS).unref();
}

export async function diagnose(env: Environment): Promise<readonly Diagnosis[]> {
  let loaded;
  try {
    loaded = loadConfig(env);
  } catch (error) {
    return [
      ...invalid(error),
      notChecked('everything else', 'it is not known where to look before the configuration is right'),
    ].map((observation) => ({ part: 'Config', ...observation }));
  }
  const settings =
    loaded.warnings.length === 0
      ? [ok('settings', 'valid')]
      : loaded.warnings.map((text, at) => warning(`settings ${at + 1}`, text, CONFIG_REMEDY));
  const context = await openDoctorContext(loaded.config, createLogger('fatal', process.stderr));
  try {
    return [
      ...settings.map((observation) => ({ part: 'Config', ...observation })),
      ...(await runChecks(context.checks)),
    ];
  } finally {
    await withDeadline(TIDY_MS, context.tidied(), () => undefined);
    context.close();
  }
}

function invalid(error: unknown): Observation[] {
  if (!(error instanceof TryItNowError) || error.code !== 'invalid_config') throw error;
  const problems = error.details?.['problems'];
  return (Array.isArray(problems) ? problems.map(String) : [error.message]).map((text, at) =>
    failure(`settings ${at + 1}`, text, CONFIG_REMEDY),
  );
}

function print(found: readonly Diagnosis[]): void {
  const rows = folded(found).map(({ part, what, verdict, seen, remedy }) => [
    part,
    what,
    MARKS[verdict],
    remedy === undefined ? seen : `${seen}\n→ ${remedy}`,
  ]);
  console.log(`${fittedTable(['PART', 'CHECK', 'STATE', 'SEEN'], [9, 18, 9], rows)}\n`);
  const count = (verdict: Diagnosis['verdict']): number =>
    found.filter((diagnosis) => diagnosis.verdict === verdict).length;
  const [failures, warnings, unchecked] = [count('failure'), count('warning'), count('not_looked_at')];
  console.log(`${failures} failures, ${warnings} warnings, ${unchecked} unchecked, ${count('ok')} ok.`);
}

/** What could not be checked for one reason is one line. */
function folded(found: readonly Diagnosis[]): readonly Diagnosis[] {
  const alike = (a: Diagnosis, b: Diagnosis): boolean =>
    a.verdict === 'not_looked_at' && b.verdict === 'not_looked_at' && a.part === b.part && a.seen === b.seen;
  return found.flatMap((diagnosis, at) => {
    if (found.slice(0, at).some((other) => alike(other, diagnosis))) return [];
    const others = found.slice(at + 1).filter((other) => alike(other, diagnosis)).length;
    return [others === 0 ? diagnosis : { ...diagnosis, what: `${diagnosis.what} and ${others} more` }];
  });
}
