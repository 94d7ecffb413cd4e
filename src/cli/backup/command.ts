import { stat } from 'node:fs/promises';
import { withBackup, writeBackup } from '../../backup/archive.ts';
import { openBackupContext, type BackupContext } from '../../composition/backup-context.ts';
import type { Config } from '../../config/config.ts';
import type { Environment } from '../../config/environment.ts';
import { loadConfig } from '../../config/load.ts';
import { TryItNowError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import { collectBackup, planRestore, restoreBackup } from '../../pool/backup.ts';
import type { BackupContents } from '../../pool/interfaces/backup-file.ts';
import { createLogger } from '../../telemetry/logger.ts';
import { confirmed } from '../confirmed.ts';
import { fittedTable, printJson } from '../output.ts';
import { packageVersion } from '../package-version.ts';
import { requireStopped } from '../require-stopped.ts';
import { whyNotWritable } from '../writable-file.ts';

export interface BackupOptions {
  readonly checkpoints?: true;
  readonly json?: true;
}

export interface RestoreOptions {
  readonly dryRun?: true;
  readonly replace?: true;
  readonly yes?: true;
  readonly force?: true;
  readonly json?: true;
}

/** Throws what a part that does not answer throws, invalid_config where the file cannot be written. */
export async function backup(env: Environment, file: string | undefined, options: BackupOptions): Promise<void> {
  const obstacle = whyNotWritable(file ?? 'backup');
  if (obstacle !== undefined) throw new TryItNowError('invalid_config', obstacle);
  await withContext(env, async (context, { deployment }) => {
    const nowMs = Date.now();
    const contents = await collectBackup(context, { checkpoints: options.checkpoints === true, nowMs });
    const name = file ?? `try-it-now-${deployment}-${new Date(nowMs).toISOString().replaceAll(/[:.]/g, '-')}.tar.gz`;
    await writeBackup(name, contents, packageVersion());
    const { size } = await stat(name);
    if (options.json === true) printJson({ file: name, bytes: size, ...counted(contents) });
    else console.log(`${tableOf(contents)}\n\nSaved to ${name} (${size.toLocaleString('en')} bytes).`);
  });
}

/** Throws server_running, backup_damaged, state_in_use, and what a part that does not answer throws. */
export async function restore(env: Environment, file: string, options: RestoreOptions): Promise<void> {
  await withContext(env, async (context, config, log) => {
    await withBackup(file, async (contents) => {
      const { replaced, unknown } = await planRestore(context, contents);
      const savedAt = new Date(contents.savedAtMs).toISOString();
      const about = `Saved ${savedAt} from the deployment ${contents.deployment}`;
      const facts = { savedAt, deployment: contents.deployment, ...counted(contents), replaced, unknown };
      if (options.json !== true) console.error(`${about}.\n\n${tableOf(contents)}\n`);
      for (const key of unknown) console.error(`Left out, as this version does not know it: ${key}`);
      if (options.dryRun === true) {
        if (options.json === true) printJson({ ...facts, restored: false });
        else
          console.log(
            replaced.length === 0
              ? 'Nothing would be replaced; nothing was changed.'
              : `These keys would be replaced: ${replaced.join(', ')}. Nothing was changed.`,
          );
        return;
      }
      if (options.force !== true) await requireStopped(config, 'every node', 'Nothing was restored', log);
      const asked = options.replace === true && replaced.length > 0 && options.yes !== true;
      if (asked && !(await confirmed(`Replace ${replaced.join(', ')} of the deployment ${config.deployment}?`))) {
        console.error('Nothing was restored.');
        return;
      }
      await restoreBackup(context, contents, { replace: options.replace === true });
      if (options.json === true) printJson({ ...facts, restored: true });
      else console.log('Restored. Start the server: systemctl start try-it-now');
    });
  });
}

/** In the words of the commands that show them. */
const KINDS: readonly (readonly [key: string, what: string])[] = [
  ['pool_control', "operators' decisions on pools"],
  ['pool_events', 'pools with events'],
  ['arrivals', 'hours of counted clicks'],
  ['node_control', "operators' decisions on nodes"],
  ['previews', 'previews'],
  ['image_update', 'images with `image_check`'],
  ['audit', 'entries of the audit log'],
  ['bans', 'bans'],
  ['allowances', 'allowances'],
  ['funnel', 'days of counted visits'],
];

function counted({ keys, events, checkpoints }: BackupContents): Record<string, number> {
  const counts = KINDS.map(([kind]): [string, number] => {
    const found = keys.filter(({ key }) => key === kind || key.startsWith(`${kind}:`));
    // A key each, or keys whose entries count.
    const whole = found.filter(({ key, type }) => key === kind || type === 'stream');
    return [kind, whole.reduce((sum, { entries }) => sum + entries.length, found.length - whole.length)];
  });
  const outbox = keys.find(({ key }) => key === 'event_outbox')?.entries.length ?? 0;
  return {
    ...Object.fromEntries(counts),
    events: outbox + events.length,
    checkpoints: checkpoints.length,
  };
}

function tableOf(contents: BackupContents): string {
  const counts = counted(contents);
  const words = [...KINDS, ['events', 'events that webhooks have not taken'], ['checkpoints', 'promoted checkpoints']];
  return fittedTable(
    ['COUNT', 'WHAT'],
    [6],
    words.map(([kind = '', what = '']) => [String(counts[kind] ?? 0), what]),
  );
}

async function withContext(
  env: Environment,
  work: (context: BackupContext, config: Config, log: Log) => Promise<void>,
): Promise<void> {
  const { config } = loadConfig(env);
  const log = createLogger('error', process.stderr);
  const context = await openBackupContext(config, log);
  try {
    await work(context, config, log);
  } finally {
    await context.close();
  }
}
