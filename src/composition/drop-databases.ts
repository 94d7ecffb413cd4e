import { hostname } from 'node:os';
import { Infrastructure } from './infrastructure.ts';
import type { Config } from '../config/config.ts';
import { ownDatabases } from '../database/own-databases.ts';
import { DATABASE_ENGINES } from '../domain/database.ts';
import { TryItNowError, describeError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { Releasers } from '../lifecycle/releasers.ts';

/**
 * Drops what the deployment has on these database servers, with seeds and users; nothing where somebody else of the
 * deployment may need it, which is false. Throws store_unavailable, and database_failed with all that is left.
 */
export async function dropDatabases({ databases, ...config }: Config, log: Log): Promise<boolean> {
  const engines = DATABASE_ENGINES.filter((engine) => databases[engine] !== undefined);
  if (engines.length === 0) return true;
  if (await othersNeedThem({ databases, ...config }, log)) return false;
  const failures: string[] = [];
  for (const engine of engines)
    try {
      for (const { name, drop } of await ownDatabases({ [engine]: databases[engine] }, config.deployment))
        await drop().catch((error: unknown) => failures.push(`${name}: ${describeError(error)}`));
    } catch (error) {
      failures.push(describeError(error));
    }
  if (failures.length > 0)
    throw new TryItNowError('database_failed', `Not all databases could be dropped: ${failures.join('; ')}`);
  return true;
}

/** Another process of the deployment, or instances of another node, whose process may be away for a while. */
async function othersNeedThem(config: Config, log: Log): Promise<boolean> {
  const releasers = new Releasers();
  try {
    const { processes, inventory } = await new Infrastructure({ config, log, releasers }).openStore();
    const running = await processes.everyone();
    const others = running?.filter(({ host, pid }) => host !== hostname() || pid !== process.pid);
    if (others?.length !== 0) return true;
    return (await inventory.list()).some(({ node }) => node !== config.node.name);
  } finally {
    await releasers.releaseAll(log);
  }
}
