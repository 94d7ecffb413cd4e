import type { Config } from './config/config.ts';
import type { Log } from './domain/log.ts';
import { createAdminServer } from './http/admin/admin-server.ts';
import type { HttpObserver } from './http/observation.ts';
import type { Releasers } from './lifecycle/releasers.ts';
import type { OperatePoolsParts } from './pool/operate-pools.ts';
import { PoolOperators } from './pool/operators.ts';
import type { Store } from './store/store.ts';

export interface OperatorDeskOptions {
  readonly config: Config;
  readonly parts: Omit<OperatePoolsParts, 'controls' | 'breakers'>;
  readonly store: Pick<Store, 'controls' | 'breakers' | 'audit'>;
  readonly observer: HttpObserver;
  readonly releasers: Releasers;
  readonly log: Log;
}

/** The admin API over the server's own parts, listening until released. Throws port_taken. */
export async function openOperatorDesk({ config, parts, store, observer, releasers, log }: OperatorDeskOptions): Promise<void> {
  const { admin, server } = config;
  const operators = new PoolOperators({ ...parts, controls: store.controls, breakers: store.breakers });
  const http = await createAdminServer({ operators, audit: store.audit, log, publicUrl: server.publicUrl, operatorKeys: admin.operatorKeys, observer });
  releasers.push('admin http', () => http.close(server.shutdownGraceMs));
  await http.listen(admin);
}
