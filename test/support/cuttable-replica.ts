import { Redis as Valkey } from 'iovalkey';
import type { Endpoint } from '../../src/store/valkey-access.ts';
import { CuttableWire } from './cuttable-wire.ts';
import { eventually } from './eventually.ts';
import type { FleetServer, ValkeyFleet } from './valkey-fleet.ts';

/** A replica whose way to its primary can be cut, so that neither of them notices for a while. */
export interface CuttableReplica extends AsyncDisposable {
  readonly wire: CuttableWire;
  readonly server: FleetServer;
  /** Of the replica. */
  readonly client: Valkey;
}

/** The primary takes changes only with it from here on, and without it again afterwards. */
export async function startCuttableReplica(fleet: ValkeyFleet, primary: Endpoint): Promise<CuttableReplica> {
  const wire = await CuttableWire.to(primary);
  const of = new Valkey(primary.port, primary.host);
  // Five seconds for others to come, by default.
  await of.config('SET', 'repl-diskless-sync-delay', '0');
  await of.config('SET', 'min-replicas-to-write', '1');
  const server = await fleet.valkey(['--replicaof', '127.0.0.1', String(wire.port)]);
  await eventually(async () => {
    if (!(await of.info('replication')).includes('min_slaves_good_slaves:1')) throw new Error('no replica is there');
  });
  const client = new Valkey(server.port, server.host);
  return {
    wire,
    server,
    client,
    [Symbol.asyncDispose]: async () => {
      client.disconnect();
      await of.config('SET', 'min-replicas-to-write', '0').catch(() => undefined);
      of.disconnect();
      await wire[Symbol.asyncDispose]();
    },
  };
}
