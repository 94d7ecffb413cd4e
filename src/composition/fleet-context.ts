import { Infrastructure } from './infrastructure.ts';
import type { Config } from '../config/config.ts';
import type { Log } from '../domain/log.ts';
import type { FleetView } from '../fleet/join.ts';
import { Releasers } from '../lifecycle/releasers.ts';
import { keys } from '../store/keys.ts';
import { readNodeAddress } from '../store/node-entries.ts';
import { seenAddress } from '../store/seen-address.ts';

/** What Valkey and NATS tell this host. Throws store_unavailable or queue_unavailable. */
export async function viewFleet(config: Config, log: Log): Promise<FleetView> {
  const releasers = new Releasers();
  try {
    const infrastructure = new Infrastructure({ config, log, releasers });
    const valkey = await infrastructure.openValkey();
    await infrastructure.openQueue();
    const entries = await Promise.all(
      Object.entries(await valkey.hgetall(keys.nodes)).map(async ([name, text]) => {
        const [address, beats] = [readNodeAddress(text), await valkey.exists(keys.heartbeat(name))];
        return address === undefined ? [] : [[name, { address, alive: beats > 0 }] as const];
      }),
    );
    return { seenAs: await seenAddress(valkey), nodes: new Map(entries.flat()) };
  } finally {
    await releasers.releaseAll(log);
  }
}
