import { expect } from 'vitest';
import type { ClaimRequest } from '../../src/pool/interfaces/claim-store.ts';
import type { FunnelCount } from '../../src/pool/interfaces/funnel-counts.ts';
import type { AttemptDraft } from '../../src/pool/interfaces/provisioning-store.ts';
import { newAttempt } from '../../src/domain/ids.ts';
import { templateVersion } from '../../src/domain/template.ts';
import { keys } from '../../src/store/keys.ts';
import type { TestStore } from './store.ts';
import { template } from './templates.ts';

/** The template of the tests of the stores, and what is asked for it. */
export const tiny = template();

export const click = (overrides: Partial<ClaimRequest> = {}): ClaimRequest => ({
  template: tiny,
  clientKey: '203.0.113.7',
  owner: 'visitor',
  idempotencyKey: undefined,
  ttlMs: tiny.ttl.defaultMs,
  ...overrides,
});

export const draft = (id: string): AttemptDraft => ({
  id,
  attempt: newAttempt(),
  version: templateVersion(tiny),
  database: undefined,
});

export async function claimed(store: TestStore, overrides: Partial<ClaimRequest> = {}) {
  const outcome = await store.claimStore.claim(click(overrides));
  if (outcome.kind !== 'taken' && outcome.kind !== 'again')
    throw new Error(`expected an instance, got ${outcome.kind}`);
  return outcome;
}

/** What the funnel counts of yesterday and today together: a day may end while a test runs. */
export async function funnelOf(store: TestStore): Promise<readonly Omit<FunnelCount, 'day'>[]> {
  const sums = new Map<string, Omit<FunnelCount, 'day'>>();
  for (const { template: of, site, step, reason, count } of await store.funnel.read(2)) {
    const key = JSON.stringify([of, site, step, reason]);
    sums.set(key, { template: of, site, step, reason, count: count + (sums.get(key)?.count ?? 0) });
  }
  return [...sums.values()];
}

export async function viewOf(store: TestStore, id: string) {
  const view = await store.claimStore.find(id);
  if (view === undefined) throw new Error(`no record of ${id}`);
  return view;
}

/** Every port is in exactly one of the three sets. */
export async function expectPortsToBalance(store: TestStore): Promise<void> {
  const [available, cooling, held] = await Promise.all([
    store.valkey.smembers(keys.availablePorts('node0')),
    store.valkey.zrange(keys.coolingPorts('node0'), 0, -1),
    store.valkey.hkeys(keys.heldPorts('node0')),
  ]);
  const all = [...available, ...cooling, ...held].map(Number).sort((a, b) => a - b);
  expect(all).toEqual(Array.from({ length: 100 }, (_, at) => store.portRange.start + at));
}
