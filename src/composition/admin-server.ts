import type { Config } from '../config/config.ts';
import type { Log } from '../domain/log.ts';
import { createAdminServer } from '../http/admin/admin-server.ts';
import type { HttpObserver } from '../http/observation.ts';
import type { Releasers } from '../lifecycle/releasers.ts';

import type { QueueConnection } from '../queue/connection.ts';
import { JetStreamQueueAdmin } from '../queue/queue-admin.ts';
import type { Store } from '../store/store.ts';
import { createOperators, type OperatorsDeps } from './operators.ts';

export interface AdminServerDeps {
  readonly config: Config;
  readonly parts: Omit<OperatorsDeps, 'controls' | 'breakers' | 'queueAdmin' | 'funnel'>;
  readonly store: Pick<Store, 'controls' | 'breakers' | 'audit' | 'funnel'>;
  readonly connection: QueueConnection;
  readonly observer: HttpObserver;
  readonly releasers: Releasers;
  readonly log: Log;
}

/** The admin API over the server's own parts, listening until released. Throws port_taken. */
export async function startAdminServer({
  config,
  parts,
  store,
  connection,
  observer,
  releasers,
  log,
}: AdminServerDeps): Promise<void> {
  const { admin, server } = config;
  const operators = createOperators({
    ...parts,
    controls: store.controls,
    breakers: store.breakers,
    funnel: store.funnel,
    queueAdmin: new JetStreamQueueAdmin(connection),
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
