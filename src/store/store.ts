import { randomUUID } from 'node:crypto';
import type { AuditLog, Breakers, PoolControls } from '../pool/operator-ports.ts';
import { ValkeyAuditLog } from './audit-log.ts';
import { ValkeyPoolControls } from './pool-controls.ts';
import type { Log } from '../domain/log.ts';
import type { Arrivals, Census, Departures, NodeRegistry, Promotions, Takes } from '../pool/ports.ts';
import { ValkeyArrivals } from './arrivals.ts';
import { ValkeyBreakers } from './breakers.ts';
import { ValkeyCensus } from './census.ts';
import { connectValkey } from './client.ts';
import { ValkeyDepartures } from './departures.ts';
import { ValkeyNodeRegistry } from './node-registry.ts';
import { ValkeyPromotions } from './promotions.ts';
import { RollbackGuard } from './rollback-guard.ts';
import { Scripts } from './scripts.ts';
import { ValkeyTakes, type TakeLimits } from './takes.ts';
import { TemplateIndex } from './template-index.ts';

export interface StoreOptions {
  readonly valkey: { readonly host: string; readonly port: number; readonly password: string | undefined };
  readonly node: { readonly name: string; readonly address: string };
  readonly limits: TakeLimits;
  readonly portRange: { readonly start: number; readonly end: number };
  readonly portCoolDownMs: number;
  /** Below the queue's patience with a silent worker, so that a task handed out again finds the lease over. */
  readonly leaseMs?: number;
  readonly log: Log;
}

export interface Store {
  readonly takes: Takes;
  readonly departures: Departures;
  readonly arrivals: Arrivals;
  readonly census: Census;
  readonly registry: NodeRegistry;
  readonly promotions: Promotions;
  readonly controls: PoolControls;
  readonly audit: AuditLog;
  readonly breakers: Breakers;
  /** For processes that hand instances out. */
  readonly rollbackGuard: RollbackGuard;
  readonly isUp: () => boolean;
  /** Called whenever the connection is there again after it was lost. */
  readonly onReturn: (listener: () => void) => void;
  readonly close: () => Promise<void>;
}

const LEASE_MS = 20_000;

/** All state, over one connection. Throws store_unavailable when Valkey does not answer. */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { valkey, node, limits, portRange, portCoolDownMs, leaseMs = LEASE_MS, log } = options;
  const client = await connectValkey({ ...valkey, log });
  const scripts = new Scripts(client);
  await scripts.load();
  const templates = new TemplateIndex(client);
  const rollbackGuard = new RollbackGuard({ client, scripts, templates, processId: randomUUID(), log });
  const census = new ValkeyCensus(client, scripts, templates, { node: node.name, portRange, portCoolDownMs }, log);
  return {
    takes: new ValkeyTakes(scripts, rollbackGuard, limits, log),
    departures: new ValkeyDepartures(scripts, templates, portCoolDownMs, log),
    arrivals: new ValkeyArrivals(
      scripts,
      { node: node.name, portRange, leaseMs, settlePorts: () => census.settlePorts() },
      log,
    ),
    census,
    registry: new ValkeyNodeRegistry(client, node),
    promotions: new ValkeyPromotions(scripts, node.name),
    controls: new ValkeyPoolControls(client, scripts),
    audit: new ValkeyAuditLog(client),
    breakers: new ValkeyBreakers(client),
    rollbackGuard,
    isUp: () => client.status === 'ready',
    onReturn: (listener) => void client.on('ready', listener),
    close: async () => {
      // A connection that is down has nothing to say goodbye to.
      if (client.status === 'ready') await client.quit();
      else client.disconnect();
    },
  };
}
