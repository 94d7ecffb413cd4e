import type { Environment } from '../../config/environment.ts';
import { loadConfig } from '../../config/load.ts';
import { describeError } from '../../domain/errors.ts';
import { repairDrift, type RepairResult } from '../../pool/repair-drift.ts';
import { detectDrift, type Drift } from '../../pool/detect-drift.ts';
import { openReconcileContext } from '../../composition/reconcile-context.ts';
import { createLogger } from '../../telemetry/logger.ts';
import { plainTable, printJson } from '../output.ts';
import { packageVersion } from '../package-version.ts';

export interface ReconcileOptions {
  readonly dryRun?: true;
  readonly json?: true;
}

const EXIT_FAILED = 1;
/** Of a dry run: for a script, "there is something to do". */
const EXIT_FOUND = 3;

/**
 * Throws what a part that does not answer throws, where nothing can be said without it:
 * Valkey, and the engine's choice.
 */
export async function reconcileNow(env: Environment, { dryRun, json }: ReconcileOptions): Promise<void> {
  const { config } = loadConfig(env);
  // What is worth a log line in a server is said in the table here; standard output is for the result.
  const context = await openReconcileContext(config, packageVersion(), createLogger('error', process.stderr));
  try {
    const seen = await detectDrift(context);
    const repair = dryRun === true ? undefined : await repairDrift(context, seen);
    if (json === true) printJson(asJson(seen, repair));
    else print(seen, repair);
    if (seen.unchecked.length > 0 || (repair?.failures ?? []).length > 0) process.exitCode = EXIT_FAILED;
    else if (dryRun === true && seen.findings.length > 0) process.exitCode = EXIT_FOUND;
  } finally {
    await context.close();
  }
}

function asJson({ findings, unchecked }: Drift, repair: RepairResult | undefined): object {
  return {
    findings: findings.map(({ kind, what, why }) => ({ kind, what, why })),
    not_looked_at: unchecked.map(({ kinds, error }) => ({ kinds, reason: describeError(error) })),
    ...(repair === undefined
      ? {}
      : {
          repaired: repair.repaired,
          failures: repair.failures.map(({ kind, error }) => ({ kind, reason: describeError(error) })),
        }),
  };
}

function print({ findings, unchecked }: Drift, repair: RepairResult | undefined): void {
  if (findings.length > 0) {
    const table = plainTable(['KIND', 'WHAT', 'WHY']);
    for (const { kind, what, why } of findings) table.push([kind, what, why]);
    console.log(`${table.toString()}\n`);
  }
  for (const { kinds, error } of unchecked) console.error(`Not checked: ${kinds.join(', ')}. ${describeError(error)}`);
  for (const { kind, error } of repair?.failures ?? []) console.error(`Not repaired: ${kind}. ${describeError(error)}`);
  if (findings.length === 0)
    console.log(unchecked.length === 0 ? 'All is in order.' : 'Nothing was found in what could be checked.');
  else if (repair === undefined)
    console.log(`${findings.length} found; nothing was changed. To repair it: try-it-now reconcile`);
  else console.log(`${findings.length} found, ${repair.repaired} repaired.`);
}
