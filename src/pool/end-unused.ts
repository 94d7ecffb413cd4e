import { describeError } from '../domain/errors.ts';
import type { Instance } from '../domain/instance.ts';
import type { Catalogue, Template } from '../domain/template.ts';
import type { ClaimStore } from './interfaces/claim-store.ts';
import type { Proxy } from './interfaces/proxy.ts';
import type { Turn } from './interfaces/turn.ts';
import type { UsageAnswer, UsageStore, Used } from './interfaces/usage-store.ts';
import { releaseInstance, type ReleaseDeps } from './release.ts';

export interface EndUnusedDeps extends ReleaseDeps {
  readonly catalogue: Catalogue;
  readonly claimStore: ClaimStore;
  readonly usageStore: UsageStore;
  /** Undefined: another node looks after the proxy, and knows who is connected. */
  readonly proxy: Pick<Proxy, 'name' | 'connected'> | undefined;
  /** Of several servers the one that looks after the pool looks at the visits. */
  readonly leads: Pick<Turn, 'held'>;
}

interface Asked {
  readonly template: Template;
  readonly answer: UsageAnswer;
}

/**
 * One round: what nobody has used for as long as its template allows is ended, and what is used gets the time that its
 * template gives it. Whatever cannot be known counts as used. Each server says of its own proxy who is connected; one
 * looks at the visits. Throws store_unavailable.
 */
export async function endUnused(deps: EndUnusedDeps): Promise<void> {
  const { catalogue, usageStore, leads } = deps;
  const templates = catalogue.allKnown().filter(({ idle, renewOnUse }) => idle !== undefined || renewOnUse);
  if (templates.length === 0) return;
  const asked: Asked[] = [];
  for (const template of leads.held ? templates : []) {
    const [unusedForMs, lastsMs] = [
      template.idle?.endAfterMs,
      template.renewOnUse ? template.ttl.defaultMs : undefined,
    ];
    asked.push({ template, answer: await usageStore.ask({ template: template.name, unusedForMs, lastsMs }) });
  }
  // After it was asked who is unused: whoever has connected by now stays.
  const connected = await noteConnected(deps);
  for (const { template, answer } of asked) {
    await renew(deps, template, answer.toRenew);
    if (connected !== 'unknown' && answer.complete) await end(deps, answer, connected);
  }
}

/** An app that only talks over a WebSocket is used although nobody asks where it is. Returns the ids of those. */
async function noteConnected({ proxy, usageStore, log }: EndUnusedDeps): Promise<ReadonlySet<string> | 'unknown'> {
  if (proxy === undefined) return new Set();
  let connected: ReadonlySet<string>;
  try {
    connected = await proxy.connected();
  } catch (error) {
    log.debug({ reason: describeError(error) }, 'Nobody can say who is connected; unused instances are left running');
    return 'unknown';
  }
  return usageStore.recordConnected(proxy.name, connected);
}

/**
 * Before this server ends: who is still connected through its proxy, if anybody, so that the others need not wait for
 * its next word. A proxy that is gone, as in a pod that ends, has let all of them go. Throws nothing.
 */
export async function leaveProxy({
  proxy,
  usageStore,
  log,
}: Pick<EndUnusedDeps, 'proxy' | 'usageStore' | 'log'>): Promise<void> {
  if (proxy === undefined) return;
  try {
    await usageStore.leaveProxy(proxy.name, await proxy.connected().catch(() => new Set<string>()));
  } catch (error) {
    log.debug({ reason: describeError(error) }, 'The others wait for what this server knew of its proxy for a while');
  }
}

async function renew({ claimStore }: EndUnusedDeps, { ttl }: Template, used: readonly Used[]): Promise<void> {
  const views = await claimStore.findMany(used.map(({ id }) => id));
  await Promise.all(
    used.map(async ({ id, lastUsedMs }) => {
      const instance = views.get(id)?.instance;
      if (instance?.deadlineMs == null) return;
      // One that has all the time it may have, or was changed meanwhile, is looked at again in the next round.
      await claimStore.extend(instance, lastUsedMs + ttl.defaultMs - instance.deadlineMs, ttl.maxMs, 'use');
    }),
  );
}

async function end(deps: EndUnusedDeps, { unused }: UsageAnswer, connected: ReadonlySet<string>): Promise<void> {
  const over = unused.filter(({ id }) => !connected.has(id));
  const views = await deps.claimStore.findMany(over.map(({ id }) => id));
  const instances: Instance[] = [...views.values()].map(({ instance }) => instance);
  await Promise.all(
    instances.map((instance) =>
      releaseInstance(deps, instance, 'unused', { from: ['assigned'], generation: instance.generation }),
    ),
  );
}
