import { describeError } from '../domain/errors.ts';
import type { Instance } from '../domain/instance.ts';
import type { Catalogue, Template } from '../domain/template.ts';
import type { ClaimStore } from './interfaces/claim-store.ts';
import type { Proxy } from './interfaces/proxy.ts';
import type { UsageStore, Used } from './interfaces/usage-store.ts';
import { releaseInstance, type ReleaseDeps } from './release.ts';
import { noteUse } from './use.ts';

export interface EndUnusedDeps extends ReleaseDeps {
  readonly catalogue: Catalogue;
  readonly claimStore: ClaimStore;
  readonly usageStore: UsageStore;
  /** Undefined: another node looks after the proxy, and knows who is connected. */
  readonly proxy: Proxy | undefined;
}

/**
 * One round: what nobody has used for as long as its template allows is ended, and what is used gets the time that its
 * template gives it. Whatever cannot be known counts as used. Throws store_unavailable.
 */
export async function endUnused(deps: EndUnusedDeps): Promise<void> {
  for (const template of deps.catalogue.allKnown()) {
    const { idle, renewOnUse, ttl } = template;
    if (idle === undefined && !renewOnUse) continue;
    const { complete, unused, toRenew } = await deps.usageStore.ask({
      template: template.name,
      unusedForMs: idle?.endAfterMs,
      lastsMs: renewOnUse ? ttl.defaultMs : undefined,
    });
    await renew(deps, template, toRenew);
    if (complete && unused.length > 0) await end(deps, unused);
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

async function end(deps: EndUnusedDeps, unused: readonly Used[]): Promise<void> {
  const { claimStore, proxy, log } = deps;
  let connected: ReadonlySet<string>;
  try {
    // An app that only talks over a WebSocket is used although nobody asks where it is.
    connected = (await proxy?.connected()) ?? new Set();
  } catch (error) {
    log.debug({ reason: describeError(error) }, 'Nobody can say who is connected; unused instances are left running');
    return;
  }
  const views = await claimStore.findMany(unused.map(({ id }) => id));
  const found = [...views.values()].map(({ instance }) => instance);
  const isConnected = ({ node, port }: Instance): boolean => connected.has(`${node.toLowerCase()}:${port ?? ''}`);
  const inUse = found.filter(isConnected);
  if (inUse.length > 0)
    await noteUse(
      deps,
      inUse.map(({ label }) => label),
    );
  await Promise.all(
    found
      .filter((instance) => !isConnected(instance))
      .map((instance) =>
        releaseInstance(deps, instance, 'unused', { from: ['assigned'], generation: instance.generation }),
      ),
  );
}
