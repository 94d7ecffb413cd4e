import type { Redis as Valkey } from 'iovalkey';
import { FIRST_NODE } from '../domain/node.ts';
import { storeError } from './client.ts';
import { keys } from './keys.ts';

const SCAN_COUNT = 500;
const BATCH = 200;
/** Stands for a template, a node, a hash. */
const EACH = '\u0000';

/** Nothing makes it again: a backup saves it. Everything else is about containers, or comes back by itself. */
const SAVED = 'saved';
/** Only what belongs to something that is saved; the rest is the host's, and no state that a restore would replace. */
const SAVED_IN_PART = 'in part';

/**
 * The pattern of each key of ours, and its type: a key of somebody else's in the same database
 * would have to share both.
 */
const OWN: readonly (readonly [pattern: string, type: string, saved?: typeof SAVED | typeof SAVED_IN_PART])[] = [
  [keys.instances, 'hash'],
  [keys.templates, 'set'],
  [keys.previews, 'hash', SAVED],
  [keys.hostnames, 'hash'],
  [keys.hostnameChanges, 'stream'],
  [keys.nodes, 'hash'],
  [keys.heartbeat(EACH), 'string'],
  [keys.lostNodes, 'hash'],
  [keys.losses(EACH), 'string'],
  [keys.nodeControl(EACH), 'hash', SAVED],
  [keys.placed(EACH), 'zset'],
  [keys.claimCount, 'string'],
  [keys.claimers, 'zset'],
  [keys.claimersLooked, 'hash'],
  [keys.confirmations, 'string'],
  [keys.lastUsed, 'zset'],
  [keys.useReporters, 'hash'],
  [keys.useKnownSince, 'string'],
  [keys.audit, 'stream', SAVED],
  [keys.auditOf(EACH), 'stream', SAVED],
  [keys.operatorSessions, 'hash'],
  [keys.poolHistory(EACH), 'list'],
  [keys.ready(EACH), 'zset'],
  [keys.warming(EACH), 'zset'],
  [keys.assigned(EACH), 'zset'],
  [keys.leaving(EACH), 'zset'],
  [keys.refillPause(EACH), 'hash'],
  [keys.failures(EACH), 'list'],
  [keys.unready(EACH), 'string'],
  [keys.waiting(EACH), 'zset'],
  [keys.waitingLeases(EACH), 'zset'],
  [keys.waitingClients(EACH), 'hash'],
  [keys.refills(EACH), 'list'],
  [keys.poolControl(EACH), 'hash', SAVED],
  [keys.arrivals(EACH, EACH), 'hash', SAVED],
  [keys.poolSize(EACH), 'string'],
  [keys.poolEvents(EACH), 'hash', SAVED],
  [keys.checkpoints(EACH), 'list'],
  [keys.checkpointOffers, 'hash'],
  [keys.imagePins, 'hash', SAVED_IN_PART],
  [keys.imagePinsUsed, 'zset'],
  [keys.imageSeen(EACH), 'hash'],
  [keys.pulledImages(EACH), 'hash'],
  [keys.imageUpdate(EACH), 'hash', SAVED],
  [keys.restores(EACH), 'hash'],
  [keys.restorePause(EACH, FIRST_NODE), 'hash'],
  [keys.restorePause(EACH, EACH), 'hash'],
  ...ofNodes(keys.availablePorts, 'set'),
  ...ofNodes(keys.coolingPorts, 'zset'),
  ...ofNodes(keys.heldPorts, 'hash'),
  [keys.idempotency(EACH), 'string'],
  [keys.hourlyRate(EACH), 'string'],
  [keys.dailyRate(EACH), 'string'],
  [keys.held(EACH), 'string'],
  [keys.harm(EACH), 'string'],
  [keys.gateSecret, 'string'],
  [keys.spentChallenge(EACH), 'string'],
  [keys.bans, 'hash', SAVED],
  [keys.allowances, 'hash', SAVED],
  [keys.networkRulePuts, 'string'],
  [keys.shares(EACH), 'hash'],
  [keys.suspects, 'hash'],
  [keys.eventOutbox, 'stream', SAVED],
  [keys.eventSettings, 'hash'],
  [keys.funnel(EACH), 'hash', SAVED],
  [keys.endedVisit(EACH), 'string'],
  [keys.lead(EACH), 'string'],
  [keys.webhook(EACH), 'hash'],
  [keys.turn(EACH), 'string'],
  [keys.turnTerms, 'hash'],
  [keys.pagesWait(EACH), 'string'],
  [keys.processes, 'hash'],
  [keys.processesSeen, 'zset'],
  [keys.templateReloads, 'string'],
];

/** The first node's, and those of others. */
function ofNodes(key: (node: string) => string, type: string): readonly (readonly [string, string])[] {
  const other = key(EACH);
  return [
    [other.slice(0, other.indexOf(`:${EACH}`)), type],
    [other, type],
  ];
}

const PATTERNS = OWN.map(([pattern, type, saved]) => ({
  type,
  saved,
  matches: new RegExp(`^${pattern.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll(EACH, '[^\\s]+')}$`),
}));

/** Whether it is what a backup saves. */
export function isSaved(name: string, type: string): boolean {
  return PATTERNS.some((each) => each.saved !== undefined && each.type === type && each.matches.test(name));
}

/** Those that a backup saves as a whole, sorted. Throws store_unavailable. */
export function savedKeys(client: Valkey): Promise<readonly string[]> {
  return find(
    client,
    PATTERNS.filter(({ saved }) => saved === SAVED),
  );
}

/** Sorted. Throws store_unavailable. */
export function ownKeys(client: Valkey): Promise<readonly string[]> {
  return find(client, PATTERNS);
}

async function find(client: Valkey, patterns: typeof PATTERNS): Promise<readonly string[]> {
  try {
    const found = new Set<string>();
    let cursor = '0';
    do {
      const [next, names] = await client.scan(cursor, 'COUNT', SCAN_COUNT);
      const candidates = names.filter((name) => patterns.some(({ matches }) => matches.test(name)));
      const types = await Promise.all(candidates.map((name) => client.type(name)));
      for (const [at, name] of candidates.entries())
        if (patterns.some(({ matches, type }) => type === types[at] && matches.test(name))) found.add(name);
      cursor = next;
    } while (cursor !== '0');
    return [...found].sort();
  } catch (error) {
    throw storeError(error);
  }
}

/** Throws store_unavailable. */
export async function deleteKeys(client: Valkey, names: readonly string[]): Promise<void> {
  try {
    for (let at = 0; at < names.length; at += BATCH) await client.unlink(...names.slice(at, at + BATCH));
  } catch (error) {
    throw storeError(error);
  }
}
