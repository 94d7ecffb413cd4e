import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis as Valkey } from 'iovalkey';
import { TryItNowError } from '../../src/domain/errors.ts';
import { newAttempt } from '../../src/domain/ids.ts';
import type { Instance } from '../../src/domain/instance.ts';
import type { Template } from '../../src/domain/template.ts';
import { templateVersion } from '../../src/domain/template.ts';
import { launchValkey } from '../../src/launcher/valkey.ts';
import { ACL_RULES } from '../../src/store/refusals.ts';
import { openStore, type Store, type StoreOptions } from '../../src/store/store.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { claimPorts } from './port-ranges.ts';

export interface TestStore extends Store, AsyncDisposable {
  /** A connection of the test's own, to look at the keys. */
  readonly valkey: Valkey;
  readonly address: { readonly host: string; readonly port: number };
  readonly portRange: StoreOptions['portRange'];
  /** Empties the store between two tests, and has it settled as at a start. */
  clear(): Promise<void>;
}

const PORTS = 100;
const LOGIN = { user: 'try-it-now', password: 'of-the-store' };

export const silent = createLogger('silent');

/** A Valkey of the test's own, and the store on it. */
export async function startStore(overrides: Partial<StoreOptions> = {}): Promise<TestStore> {
  const dir = await mkdtemp(join(tmpdir(), 'try-it-now-valkey-'));
  const launched = await launchValkey({ dir });
  const claimed = await claimPorts(PORTS);
  const { portRange = claimed } = overrides;
  const port = Number(launched.address.split(':')[1]);
  const address = { host: '127.0.0.1', port };
  const valkey = new Valkey(port, '127.0.0.1');
  // With the rights that docs/deployment.md gives, so that every test of the store shows them to be enough.
  await valkey.call('ACL', 'SETUSER', LOGIN.user, 'on', `>${LOGIN.password}`, ...ACL_RULES.split(' '));
  const store = await openStore({
    valkey: { ...address, ...LOGIN },
    node: { name: 'node0', address: '127.0.0.1' },
    limits: { hourly: 0, daily: 0 },
    portCoolDownMs: 200,
    log: silent,
    ...overrides,
    portRange,
  });
  await store.inventory.reconcilePorts();
  return {
    ...store,
    valkey,
    address,
    portRange,
    clear: async () => {
      await valkey.flushall();
      // It has noticed by the time the test begins.
      await store.rollbackGuard.check();
      await store.inventory.reconcilePorts();
    },
    [Symbol.asyncDispose]: async () => {
      valkey.disconnect();
      await store.close();
      await launched.server.stop();
      await rm(dir, { recursive: true, force: true });
      await claimed[Symbol.asyncDispose]();
    },
  };
}

/** Brings one reserved ticket up to a warming record with a port and a name; `landing` as if its activation gave it. */
export async function warm(store: Store, template: Template, id: string, landing = ''): Promise<Instance> {
  const begun = await store.provisioningStore.beginAttempt(template, {
    id,
    attempt: newAttempt(),
    version: templateVersion(template),
    database: undefined,
  });
  if (begun.kind !== 'begun') throw new Error(`${id} could not be begun: ${begun.kind}`);
  return named(store, begun.instance, landing);
}

/** The same with what was begun already. */
export async function named(store: Store, begun: Instance, landing = ''): Promise<Instance> {
  const instance = await store.provisioningStore.allocatePort(begun);
  await store.provisioningStore.recordStep(instance, 'activated', landing);
  await store.provisioningStore.publishHostname(instance);
  return instance;
}

/** Of `named`. Undefined where all ports are taken: the attempt ends there. */
export function unlessNoPort(error: unknown): undefined {
  if (!(error instanceof TryItNowError) || error.code !== 'no_free_port') throw error;
}

/** Fills the template's pool to its target without any container; `landing` as if activations had given it. */
export async function fillPool(store: Store, template: Template, landing?: string): Promise<Instance[]> {
  const ids: string[] = [];
  for (
    let some = await store.provisioningStore.reserveTickets(template);
    some.length > 0;
    some = await store.provisioningStore.reserveTickets(template)
  )
    ids.push(...some);
  return Promise.all(
    ids.map(async (id) => {
      const instance = await warm(store, template, id, landing);
      await store.provisioningStore.markReady(instance, template);
      return instance;
    }),
  );
}
