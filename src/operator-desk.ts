import type { Config } from './config/config.ts';
import type { Log } from './domain/log.ts';
import { createAdminServer } from './http/admin/admin-server.ts';
import type { HttpObserver } from './http/observation.ts';
import type { Releasers } from './lifecycle/releasers.ts';
import { PoolOperators, type OperatorsParts } from './pool/operators.ts';
import type { QueueConnection } from './queue/connection.ts';
import { JetStreamDesk } from './queue/queue-desk.ts';
import type { Store } from './store/store.ts';

export interface OperatorDeskOptions {
  readonly config: Config;
  readonly parts: Omit<OperatorsParts, 'controls' | 'breakers' | 'desk'>;
  readonly store: Pick<Store, 'controls' | 'breakers' | 'audit'>;
  readonly connection: QueueConnection;
  readonly observer: HttpObserver;
  readonly releasers: Releasers;
  readonly log: Log;
}

/** The admin API over the server's own parts, listening until released. Throws port_taken. */
export async function openOperatorDesk({
  config,
  parts,
  store,
  connection,
  observer,
  releasers,
  log,
}: OperatorDeskOptions): Promise<void> {
  const { admin, server } = config;
  const operators = new PoolOperators({
    ...parts,
    controls: store.controls,
    breakers: store.breakers,
    desk: new JetStreamDesk(connection),
  });
  const http = await createAdminServer({
    operators,
    audit: store.audit,
    log,
    publicUrl: server.publicUrl,
    operatorKeys: admin.operatorKeys,
    observer,
  });
  releasers.push('admin http', () => http.close(server.shutdownGraceMs));
  await http.listen(admin);
}
