import { RCODE, type Question, type Reply as DnsReply } from '../../dns/reply.ts';
import { HOST_LABEL_PATTERN } from '../../domain/ids.ts';
import type { NameTable } from './name-table.ts';
import type { DnsOutcome, HostnameEntry } from './interfaces/hostname-source.ts';

/** Ours alone: never delegated, never asked of a public resolver. */
export const ZONE = 'demo.internal';

/** Seconds. The proxy keeps its own time; this is for other clients. */
const TTL = 1;
const label = new RegExp(HOST_LABEL_PATTERN);

export type Reply = DnsReply<DnsOutcome>;

/** Asks the store about a name that memory does not hold. `unsure`: the store could not say. */
export type AskStore = (label: string) => Promise<HostnameEntry | 'unknown' | 'unsure'>;

const UNKNOWN: Reply = { rcode: RCODE.nameError, answers: [], outcome: 'unknown' };
const LOST: Reply = { rcode: RCODE.nameError, answers: [], outcome: 'lost' };
const UNSURE: Reply = { rcode: RCODE.serverFailure, answers: [], outcome: 'unsure' };
const NO_DATA: Reply = { rcode: RCODE.ok, answers: [], outcome: 'no_data' };
const REFUSED: Reply = { rcode: RCODE.refused, answers: [], outcome: 'refused' };

export interface Answering {
  readonly askStore: AskStore;
  /** Its host is gone, as far as can be said without waiting. */
  readonly isUnreachable: (entry: HostnameEntry) => boolean;
  /** Hears of every instance that was asked for and is there. */
  readonly onLocated: (label: string) => void;
}

/**
 * `<label>.demo.internal SRV` is where an instance is, `<node>.demo.internal A|AAAA` where its host is (an SRV target
 * has to be a name). What memory knows is answered without waiting for anything. An instance on a host that is gone has
 * no place: its visitor is told at once, and not after a connection that nobody takes.
 */
export function answer(
  question: Question,
  table: NameTable,
  { askStore, isUnreachable, onLocated }: Answering,
): Reply | Promise<Reply> {
  const name = question.name.toLowerCase();
  if (question.class !== 'IN') return REFUSED;
  if (name === ZONE) return NO_DATA;
  if (!name.endsWith(`.${ZONE}`)) return REFUSED;
  const key = name.slice(0, -ZONE.length - 1);
  const address = table.addressOf(key);
  if (address !== undefined) return ofNode(question, address);
  const entry = table.find(key);
  if (entry !== undefined) {
    if (isUnreachable(entry)) return LOST;
    onLocated(key);
    return ofInstance(question, entry, 'known');
  }
  // No instance can have such a name, so the store need not be troubled.
  if (!label.test(key)) return table.everFilled ? UNKNOWN : UNSURE;
  return askStore(key).then((found) => {
    if (found === 'unsure') return UNSURE;
    if (found === 'unknown') return UNKNOWN;
    onLocated(key);
    return ofInstance(question, found, 'looked_up');
  });
}

function ofInstance(question: Question, entry: HostnameEntry, outcome: DnsOutcome): Reply {
  if (question.type !== 'SRV') return NO_DATA;
  const data = { priority: 0, weight: 0, port: entry.port, target: `${entry.node}.${ZONE}` };
  return { rcode: RCODE.ok, answers: [{ type: 'SRV', class: 'IN', name: question.name, ttl: TTL, data }], outcome };
}

function ofNode(question: Question, address: string): Reply {
  const type = address.includes(':') ? 'AAAA' : 'A';
  if (question.type !== type) return NO_DATA;
  return {
    rcode: RCODE.ok,
    answers: [{ type, class: 'IN', name: question.name, ttl: TTL, data: address }],
    outcome: 'node',
  };
}
