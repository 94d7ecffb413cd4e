import { describeError } from '../domain/errors.ts';
import type { Instance } from '../domain/instance.ts';
import type { Catalogue, Template } from '../domain/template.ts';
import type { ClaimStore } from './interfaces/claim-store.ts';
import type { Inventory } from './interfaces/inventory.ts';
import type { Proxy } from './interfaces/proxy.ts';
import type { UsageAnswer, UsageStore, Used } from './interfaces/usage-store.ts';
import { releaseInstance, type ReleaseDeps } from './release.ts';

export interface EndUnusedDeps extends ReleaseDeps {
  readonly catalogue: Catalogue;
  readonly claimStore: ClaimStore;
  readonly usageStore: UsageStore;
  /** Undefined: another node looks after the proxy, and knows who is connected. */
  readonly proxy: Proxy | undefined;
}

/**
 * How long before a visit would end it is looked for connections to it: longer than a server that looks after another
 * proxy may be silent.
 */
const NOTICE_MS = 20_000;

interface Asked {
  readonly template: Template;
  readonly answer: UsageAnswer;
}

/**
 * One round: what nobody has used for as long as its template allows is ended, and what is used gets the time that its
 * template gives it. Whatever cannot be known counts as used. Throws store_unavailable.
 */
export async function endUnused(deps: EndUnusedDeps): Promise<void> {
  const { usageStore } = deps;
  const asked: Asked[] = [];
  for (const template of deps.catalogue.allKnown()) {
    const lastsMs = template.renewOnUse ? template.ttl.defaultMs : undefined;
    const endsAfterMs = template.idle?.endAfterMs ?? lastsMs;
    if (endsAfterMs === undefined) continue;
    const unusedForMs = Math.max(1, endsAfterMs - NOTICE_MS);
    const question = { template: template.name, unusedForMs, lastsMs, endsWithinMs: NOTICE_MS };
    asked.push({ template, answer: await usageStore.ask(question) });
  }
  if (asked.length === 0) return;
  const connected = await noteConnected(deps, asked);
  for (const { template, answer } of asked) {
    await renew(deps, template, answer.toRenew);
    if (connected !== 'unknown' && answer.complete) await end(deps, template, answer, connected);
  }
}

/**
 * An app that only talks over a WebSocket is used although nobody asks where it is. Each server says of its own proxy
 * who is; returns their ids.
 */
async function noteConnected(
  { proxy, claimStore, usageStore, log }: EndUnusedDeps,
  asked: readonly Asked[],
): Promise<ReadonlySet<string> | 'unknown'> {
  if (proxy === undefined) return new Set();
  let connected: ReadonlySet<string>;
  try {
    connected = await proxy.connected();
  } catch (error) {
    log.debug({ reason: describeError(error) }, 'Nobody can say who is connected; unused instances are left running');
    return 'unknown';
  }
  const unused = connected.size === 0 ? [] : asked.flatMap(({ answer }) => answer.unused.map(({ id }) => id));
  const found = [...(await claimStore.findMany(unused)).values()].map(({ instance }) => instance);
  const inUse = found.filter((visit) => isAmong(connected, visit));
  await usageStore.recordConnected(
    proxy.name,
    inUse.map(({ label }) => label),
  );
  return new Set(inUse.map(({ id }) => id));
}

/**
 * Before this server ends: who is still connected through its proxy, if anybody, so that the others need not wait for
 * its next word. A proxy that is gone, as in a pod that ends, has let all of them go. Throws nothing.
 */
export async function leaveProxy({
  proxy,
  catalogue,
  inventory,
  usageStore,
  log,
}: Omit<EndUnusedDeps, 'claimStore'> & { readonly inventory: Pick<Inventory, 'readyOrAssigned'> }): Promise<void> {
  if (proxy === undefined) return;
  try {
    const connected = await proxy.connected().catch(() => new Set<string>());
    const names = catalogue.allKnown().map(({ name }) => name);
    const held = connected.size === 0 ? [] : await inventory.readyOrAssigned(names);
    const inUse = held.filter((visit) => isAmong(connected, visit));
    await usageStore.leaveProxy(
      proxy.name,
      inUse.map(({ label }) => label),
    );
  } catch (error) {
    log.debug({ reason: describeError(error) }, 'The others wait for what this server knew of its proxy for a while');
  }
}

function isAmong(connected: ReadonlySet<string>, { node, port }: Instance): boolean {
  return connected.has(`${node.toLowerCase()}:${port ?? ''}`);
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

async function end(
  deps: EndUnusedDeps,
  { idle }: Template,
  { unused, nowMs }: UsageAnswer,
  connected: ReadonlySet<string>,
): Promise<void> {
  if (idle === undefined) return;
  const over = unused.filter(({ id, sinceMs }) => nowMs - sinceMs >= idle.endAfterMs && !connected.has(id));
  const views = await deps.claimStore.findMany(over.map(({ id }) => id));
  const instances: Instance[] = [...views.values()].map(({ instance }) => instance);
  await Promise.all(
    instances.map((instance) =>
      releaseInstance(deps, instance, 'unused', { from: ['assigned'], generation: instance.generation }),
    ),
  );
}
