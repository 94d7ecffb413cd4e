import { randomUUID } from 'node:crypto';
import type { Config } from '../config/config.ts';
import { systemClock } from '../domain/clock.ts';
import type { Log } from '../domain/log.ts';
import { loadDashboard } from '../dashboard/dashboard.ts';
import { createAdminServer } from '../http/admin/admin-server.ts';
import type { RefusalObserver } from '../http/admin/refused-calls.ts';
import type { HttpObserver } from '../http/observation.ts';
import type { Releasers } from '../lifecycle/releasers.ts';

import { OidcProvider } from '../oidc/oidc-provider.ts';
import type { QueueConnection } from '../queue/connection.ts';
import { JetStreamQueueAdmin } from '../queue/queue-admin.ts';
import { JetStreamWebhookAdmin } from '../queue/webhook-admin.ts';
import type { OperateWebhooksDeps, WebhookTest } from '../pool/operate-webhooks.ts';
import { testMessage } from '../webhooks/message.ts';
import type { Poster } from '../webhooks/post.ts';
import type { Webhook } from '../domain/webhook.ts';
import type { Store } from '../store/store.ts';
import type { OperatorActivity } from '../pool/operator-jobs.ts';
import { createHostOperators, type HostOperatorsDeps } from './host-operators.ts';
import { createOperators, type OperatorsDeps } from './operators.ts';

type OwnDep =
  | 'networkRules'
  | 'harmMemory'
  | 'shareCounts'
  | 'controls'
  | 'poolSizes'
  | 'breakers'
  | 'queueAdmin'
  | 'funnel'
  | 'poolHistory'
  | 'imagePins'
  | 'imageUpdates'
  | 'host'
  | Exclude<keyof OperateWebhooksDeps, 'clock'>;

export interface AdminServerDeps {
  readonly config: Config;
  readonly parts: Omit<OperatorsDeps, OwnDep>;
  readonly store: Pick<
    Store,
    | 'networkRules'
    | 'harmMemory'
    | 'shareCounts'
    | 'controls'
    | 'poolSizes'
    | 'breakers'
    | 'audit'
    | 'promotions'
    | 'operatorSessions'
    | 'funnel'
    | 'poolHistory'
    | 'imagePins'
    | 'imageUpdates'
    | 'outbox'
    | 'webhookStatuses'
  >;
  readonly poster: Poster;
  readonly connection: QueueConnection;
  readonly activity: OperatorActivity;
  readonly announceProcess: () => Promise<void>;
  readonly observer: HttpObserver & RefusalObserver & HostOperatorsDeps['observer'];
  readonly releasers: Releasers;
  readonly log: Log;
}

/** The admin API over the server's own parts, listening until released. Throws port_taken. */
export async function startAdminServer({
  config,
  parts,
  store,
  connection,
  poster,
  activity,
  announceProcess,
  observer,
  releasers,
  log,
}: AdminServerDeps): Promise<void> {
  const { admin, server } = config;
  const webhookAdmin = new JetStreamWebhookAdmin(connection);
  const host = createHostOperators({
    config,
    catalogue: parts.catalogue,
    promotions: store.promotions,
    imageUpdates: store.imageUpdates,
    audit: store.audit,
    clock: systemClock,
    ...{ activity, announceProcess, observer, log, webhooks: config.webhooks, webhookAdmin },
  });
  releasers.push('operators’ jobs', host.stop);
  const operators = createOperators({
    ...parts,
    networkRules: store.networkRules,
    harmMemory: store.harmMemory,
    shareCounts: store.shareCounts,
    controls: store.controls,
    poolSizes: store.poolSizes,
    breakers: store.breakers,
    funnel: store.funnel,
    poolHistory: store.poolHistory,
    imagePins: store.imagePins,
    imageUpdates: store.imageUpdates,
    outbox: store.outbox,
    ...{ webhooks: config.webhooks, webhookAdmin },
    webhookStatuses: store.webhookStatuses,
    sendTest: (webhook) => sendTest(poster, webhook),
    queueAdmin: new JetStreamQueueAdmin(connection),
    host: host.operators,
  });
  const http = await createAdminServer({
    operators,
    audit: store.audit,
    log,
    publicUrl: server.publicUrl,
    operatorKeys: admin.operatorKeys,
    sessions: store.operatorSessions,
    sessionMs: admin.sessionMs,
    login: admin.oidc === undefined ? undefined : { provider: new OidcProvider(admin.oidc), roles: admin.oidc.roles },
    dashboardUrl: admin.dashboardUrl,
    pages: await loadDashboard(),
    observer,
  });
  releasers.push('admin http', () => http.close(server.shutdownGraceMs));
  await http.listen(admin);
}

async function sendTest({ post }: Poster, webhook: Webhook): Promise<WebhookTest> {
  const message = testMessage(webhook.name, `test_${randomUUID()}`, Date.now());
  const outcome = await post(webhook, message, new AbortController().signal);
  return outcome.kind === 'stopped' ? { kind: 'failed', reason: 'the server is shutting down', tookMs: 0 } : outcome;
}
