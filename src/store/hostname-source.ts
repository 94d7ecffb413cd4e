import type { Redis as Valkey } from 'iovalkey';
import { describeError } from '../domain/errors.ts';
import { backoffMs } from '../lifecycle/backoff.ts';
import type {
  HostnameChange,
  HostnameEntry,
  HostnameEvent,
  HostnameSource,
  KnownNodes,
} from '../proxy/discovery/interfaces/hostname-source.ts';
import type { UseReports } from '../proxy/discovery/interfaces/use-reports.ts';
import { newClient, type ValkeyOptions } from './client.ts';
import { parseHostnameEntry } from './hostname-entries.ts';
import { keys } from './keys.ts';
import { readNodeAddress } from './node-entries.ts';
import { Scripts } from './scripts.ts';
import { ValkeyUsageStore } from './usage-store.ts';
import { accessText } from './valkey-access.ts';

/** One blocking read; also how soon a stream that was replaced behind our back is noticed. */
const BLOCK_MS = 1_000;
/** No reply for this long, blocking read included: the connection hangs. */
const SILENCE_MS = 3_000;
const BATCH = 1_000;

/** Where the reader stands: enough to prove that it has missed nothing. */
interface Position {
  lastId: string;
  /** How many entries the stream had ever been given, as counted here. */
  added: number;
  readonly labels: Set<string>;
}

/** Host names out of Valkey: the hash `hostnames`, then its changes from the stream `hostname_changes`. */
export class ValkeyHostnameSource implements HostnameSource {
  readonly #options: ValkeyOptions;
  readonly #lookups: Valkey;

  constructor(options: ValkeyOptions) {
    this.#options = options;
    this.#lookups = this.#connect((attempt) => backoffMs(attempt, { baseMs: 50, maxMs: 1_000 }));
    // A first try that fails is followed by others, as the retry strategy says.
    this.#lookups.connect().catch(() => undefined);
  }

  async lookup(label: string): Promise<HostnameEntry | undefined> {
    const text = await this.#lookups.hget(keys.hostnames, label);
    return text === null ? undefined : this.#parseEntry(label, text);
  }

  /** Over the connection of the look-ups, so that discovery needs no third one. */
  get useReports(): UseReports {
    return new ValkeyUsageStore(new Scripts(this.#lookups), this.#lookups);
  }

  close(): void {
    this.#lookups.disconnect();
  }

  async *follow(signal: AbortSignal): AsyncGenerator<HostnameEvent> {
    const client = this.#connect(() => null);
    const hangUp = (): void => client.disconnect();
    signal.addEventListener('abort', hangUp, { once: true });
    try {
      await client.connect();
      while (!signal.aborted) yield* this.#untilGap(client, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      signal.removeEventListener('abort', hangUp);
      hangUp();
    }
  }

  /** A snapshot and what follows it, until something is found to be missing. */
  async *#untilGap(client: Valkey, signal: AbortSignal): AsyncGenerator<HostnameEvent> {
    const position: Position = { lastId: '0-0', added: 0, labels: new Set() };
    yield await this.#snapshot(client, position);
    let checkedAt = performance.now();
    while (!signal.aborted) {
      const reply = await client.xread(
        'COUNT',
        BATCH,
        'BLOCK',
        BLOCK_MS,
        'STREAMS',
        keys.hostnameChanges,
        position.lastId,
      );
      const changes = this.#advance(position, reply);
      if (changes.length > 0) yield { kind: 'changes', changes };
      if (performance.now() - checkedAt < BLOCK_MS) continue;
      checkedAt = performance.now();
      const check = await this.#check(client, position);
      if (check.changes.length > 0) yield { kind: 'changes', changes: check.changes };
      yield { kind: 'nodes', nodes: check.nodes, lost: check.lost };
      if (check.gap) {
        this.#options.log.warn(
          { known: position.labels.size },
          'Changes of host names were missed; reading all of them again',
        );
        return;
      }
    }
  }

  /** In one transaction, so that the position and the names belong to the same moment. */
  async #snapshot(client: Valkey, position: Position): Promise<HostnameEvent> {
    const replies = await client
      .multi()
      .exists(keys.hostnameChanges)
      .xinfo('STREAM', keys.hostnameChanges)
      .hgetall(keys.hostnames)
      .hgetall(keys.nodes)
      .hkeys(keys.lostNodes)
      .exec();
    const [exists, stream, hostnames, nodes, lost] = replies ?? [];
    const { added, lastId } = streamState(exists, stream);
    position.added = added;
    position.lastId = lastId;
    const entries = new Map<string, HostnameEntry>();
    for (const [label, text] of Object.entries(textsOf(hostnames))) {
      position.labels.add(label);
      const entry = this.#parseEntry(label, text);
      if (entry !== undefined) entries.set(label, entry);
    }
    return { kind: 'snapshot', hostnames: entries, nodes: this.#parseNodes(textsOf(nodes)), lost: namesOf(lost) };
  }

  /**
   * Reads what is left and compares the stored names in the same moment: a stream that was trimmed before we read it,
   * emptied or replaced has another count or last id than ours, a hash changed without the stream another size.
   */
  async #check(
    client: Valkey,
    position: Position,
  ): Promise<KnownNodes & { readonly changes: HostnameChange[]; readonly gap: boolean }> {
    const replies = await client
      .multi()
      .xread('COUNT', BATCH, 'STREAMS', keys.hostnameChanges, position.lastId)
      .exists(keys.hostnameChanges)
      .xinfo('STREAM', keys.hostnameChanges)
      .hlen(keys.hostnames)
      .hgetall(keys.nodes)
      .hkeys(keys.lostNodes)
      .exec();
    const [unread, exists, stream, count, nodes, lost] = replies ?? [];
    const changes = this.#advance(position, valueOf(unread));
    const caughtUp = changes.length < BATCH;
    const { added, lastId } = streamState(exists, stream);
    const gap =
      caughtUp && (added !== position.added || lastId !== position.lastId || valueOf(count) !== position.labels.size);
    return { changes, nodes: this.#parseNodes(textsOf(nodes)), lost: namesOf(lost), gap };
  }

  #advance(position: Position, reply: unknown): HostnameChange[] {
    const changes: HostnameChange[] = [];
    for (const [id, fields] of entriesOf(reply)) {
      position.lastId = id;
      position.added += 1;
      const label = fieldOf(fields, 'label');
      const text = fieldOf(fields, 'entry');
      if (label === undefined || text === undefined) continue;
      if (text === '') position.labels.delete(label);
      else position.labels.add(label);
      changes.push({ label, entry: text === '' ? undefined : this.#parseEntry(label, text) });
    }
    return changes;
  }

  #parseEntry(label: string, text: string): HostnameEntry | undefined {
    const entry = parseHostnameEntry(text);
    if (entry !== undefined) return entry;
    this.#options.log.error(
      { hostLabel: label, entry: text.slice(0, 200) },
      'Skipped a host name entry that cannot be read',
    );
    return undefined;
  }

  #parseNodes(texts: Record<string, string>): Map<string, string> {
    const nodes = new Map<string, string>();
    for (const [node, text] of Object.entries(texts)) {
      const address = readNodeAddress(text);
      if (address !== undefined) nodes.set(node, address);
    }
    return nodes;
  }

  #connect(retryStrategy: (attempt: number) => number | null): Valkey {
    const { log, ...access } = this.#options;
    // A server that hangs answers no look at its state either; the time for an answer notices it.
    const client = newClient(access, { timeoutMs: SILENCE_MS, retryStrategy, untilLoaded: false });
    // Who waits for a reply is told by the rejection; this keeps an idle connection's loss from ending the process.
    client.on('error', (error) =>
      log.debug({ address: accessText(access), reason: describeError(error) }, 'Host name connection failed'),
    );
    return client;
  }
}

type TransactionReply = readonly [Error | null, unknown] | undefined;

function valueOf(reply: TransactionReply): unknown {
  if (reply === undefined) throw new Error('Valkey answered a transaction with too few replies');
  if (reply[0] !== null) throw reply[0];
  return reply[1];
}

function textsOf(reply: TransactionReply): Record<string, string> {
  return valueOf(reply) as Record<string, string>;
}

function namesOf(reply: TransactionReply): ReadonlySet<string> {
  return new Set(valueOf(reply) as string[]);
}

/** A stream that does not exist has been given nothing (and XINFO answers with an error). */
function streamState(exists: TransactionReply, reply: TransactionReply): { added: number; lastId: string } {
  if (valueOf(exists) === 0) return { added: 0, lastId: '0-0' };
  const fields = valueOf(reply) as unknown[];
  const valueAfter = (name: string): unknown => fields[fields.indexOf(name) + 1];
  return { added: Number(valueAfter('entries-added')), lastId: String(valueAfter('last-generated-id')) };
}

function entriesOf(reply: unknown): readonly [string, string[]][] {
  const streams = reply as [string, [string, string[]][]][] | null;
  return streams?.[0]?.[1] ?? [];
}

function fieldOf(fields: readonly string[], name: string): string | undefined {
  const at = fields.indexOf(name);
  return at < 0 ? undefined : fields[at + 1];
}
