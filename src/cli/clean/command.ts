import { ownedData, ownedDemos, type OwnedResource, type OwnedResources } from '../../composition/owned-resources.ts';
import type { Config } from '../../config/config.ts';
import type { Environment } from '../../config/environment.ts';
import { loadConfig } from '../../config/load.ts';
import { describeError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import { createLogger } from '../../telemetry/logger.ts';
import { confirmed } from '../confirmed.ts';
import { fittedTable, printJson } from '../output.ts';
import { requireStopped } from '../require-stopped.ts';

export interface CleanOptions {
  readonly dryRun?: true;
  readonly yes?: true;
  readonly force?: true;
  readonly json?: true;
}

const EXIT_FAILED = 1;
/** Of a dry run: for a script, "there is something to do". */
const EXIT_FOUND = 3;
/** Thousands of keys are not for reading. */
const SHOWN_A_KIND = 20;

/**
 * Removes every container, network, database and user of this deployment on this node. Throws server_running, and what
 * a part that does not answer throws.
 */
export async function cleanDemos(env: Environment, options: CleanOptions): Promise<void> {
  await clean(env, options, {
    of: 'this node',
    what: 'everything instances are made of on this node',
    find: ownedDemos,
  });
}

/** Removes this deployment's keys from Valkey and its streams from NATS. Throws as cleanDemos does. */
export async function cleanData(env: Environment, options: CleanOptions): Promise<void> {
  await clean(env, options, {
    of: 'every node',
    what: "all state: instances, names, promotions of checkpoints, operators' decisions, the audit log, and every task",
    find: ownedData,
  });
}

interface Cleaning {
  /** Whose workers must have ended. */
  readonly of: 'this node' | 'every node';
  readonly what: string;
  readonly find: (config: Config, log: Log) => Promise<OwnedResources>;
}

async function clean(env: Environment, options: CleanOptions, { of, what, find }: Cleaning): Promise<void> {
  const { config } = loadConfig(env);
  const log = createLogger('error', process.stderr);
  if (options.force !== true && options.dryRun !== true) await requireStopped(config, of, 'Nothing was removed', log);
  const { all, left, finish } = await find(config, log);
  try {
    for (const line of left) console.error(line);
    if (all.length === 0 || options.dryRun === true) {
      report(all, undefined, options);
      if (all.length > 0) process.exitCode = EXIT_FOUND;
      return;
    }
    if (options.yes !== true) {
      if (options.json !== true) console.error(`${tableOf(all)}\n`);
      if (!(await confirmed(`Remove ${what} (${all.length} in all) of the deployment ${config.deployment}?`))) {
        console.error('Nothing was removed.');
        return;
      }
    }
    const failures = await remove(all);
    report(all, failures, options);
    if (failures.size > 0) process.exitCode = EXIT_FAILED;
  } finally {
    await finish();
  }
}

/** Each is tried, even when another fails. */
async function remove(all: readonly OwnedResource[]): Promise<ReadonlyMap<OwnedResource, unknown>> {
  const failures = new Map<OwnedResource, unknown>();
  for (const belonging of all) await belonging.remove().catch((error: unknown) => failures.set(belonging, error));
  return failures;
}

/** Undefined `failures`: nothing was to be removed. */
function report(
  all: readonly OwnedResource[],
  failures: ReadonlyMap<OwnedResource, unknown> | undefined,
  { json, dryRun }: CleanOptions,
): void {
  const removed = failures === undefined ? 0 : all.length - failures.size;
  if (json === true) {
    printJson({
      found: all.map(({ kind, what }) => ({ kind, what })),
      removed,
      failures: [...(failures ?? [])].map(([{ kind, what }, error]) => ({ kind, what, reason: describeError(error) })),
    });
    return;
  }
  if (all.length === 0) console.log('There is nothing to remove.');
  else if (dryRun === true) console.log(`${tableOf(all)}\n\n${all.length} would be removed; nothing was changed.`);
  else console.log(`${tableOf(all)}\n\n${removed} of ${all.length} removed.`);
  for (const [{ kind, what }, error] of failures ?? [])
    console.error(`Not removed: ${kind} ${what}. ${describeError(error)}`);
}

function tableOf(all: readonly OwnedResource[]): string {
  const rows = [...new Set(all.map(({ kind }) => kind))].flatMap((kind) => {
    const some = all.filter((belonging) => belonging.kind === kind);
    const shown = some.slice(0, SHOWN_A_KIND).map(({ what }) => [kind, what]);
    return some.length > SHOWN_A_KIND ? [...shown, [kind, `and ${some.length - SHOWN_A_KIND} more`]] : shown;
  });
  return fittedTable(['KIND', 'WHAT'], [10], rows);
}
