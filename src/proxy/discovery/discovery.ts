import { startResponder } from '../../dns/responder.ts';
import type { Log } from '../../domain/log.ts';
import { withDeadline } from '../../lifecycle/deadline.ts';
import type { Liveness } from './ask.ts';
import { DirectLookup } from './direct-lookup.ts';
import { Follower } from './follower.ts';
import { LostHosts } from './lost-hosts.ts';
import { NameTable } from './name-table.ts';
import type { DiscoveryObserver, DnsOutcome, HostnameEntry, HostnameSource } from './interfaces/hostname-source.ts';
import type { Greet } from './interfaces/greet.ts';
import type { UseReports } from './interfaces/use-reports.ts';
import { SnapshotFile } from './snapshot-file.ts';
import { UseReporter } from './use-reporter.ts';
import { answer } from './zone.ts';

/** What is said where its port is taken. */
const TAKEN = { what: 'discovery', otherwise: 'or set DISCOVERY_ADDR' } as const;
const FIRST_WORD_MS = 500;
/** A lookup takes well under a millisecond when the store is well. */
const LOOKUP_TIMEOUT_MS = 200;
const LOOKUP_PAUSE_MS = 1_000;

export interface DiscoveryOptions {
  /** Loopback unless told otherwise: what is asked here tells where every instance lives. Port 0: a free one. */
  readonly listen: { readonly host?: string; readonly port: number; readonly inherited?: { readonly fd: number } };
  readonly source: HostnameSource;
  readonly greet: Greet;
  readonly log: Log;
  /** Where the names are kept for a restart while the store is unavailable. Without it such a restart knows none. */
  readonly snapshotFile?: string;
  readonly observer?: DiscoveryObserver;
  /** Who is told which instances are in use. Without it nobody knows. */
  readonly useReports?: UseReports;
  /** How long a start waits for the store before it makes do with the saved names. */
  readonly firstWordMs?: number;
  /** How long the store may take over a name that is not in memory. */
  readonly lookupTimeoutMs?: number;
}

interface DiscoveryStats {
  readonly hostnames: number;
  readonly nodes: number;
  /** False: the store is unavailable and answers come from memory. */
  readonly inStep: boolean;
  /** Snapshots read from the store so far. */
  readonly resyncs: number;
}

export interface Discovery {
  readonly address: { readonly host: string; readonly port: number };
  stats(): DiscoveryStats;
  /** Whether an instance has this label, from memory, else from the store. */
  isLive(label: string): Promise<Liveness>;
  close(): Promise<void>;
}

/**
 * Answers where instances live, from memory fed by the store; needs neither the store nor anything else for what it
 * knows already. The source stays the caller's to close. Throws port_taken.
 */
export async function startDiscovery(options: DiscoveryOptions): Promise<Discovery> {
  const { source, greet, log, observer, useReports } = options;
  const table = new NameTable();
  const file = options.snapshotFile === undefined ? undefined : new SnapshotFile(options.snapshotFile, table, log);
  const follower = new Follower({ source, table, log, onChange: (event) => file?.noted(event) });
  const isKnown = (label: string): boolean => table.find(label) !== undefined;
  const reporter = useReports && new UseReporter({ reports: useReports, isKnown, observer, log });
  const stop = async (): Promise<void> => {
    await reporter?.stop();
    await follower.stop();
    await file?.close();
  };
  // Nothing is answered before the store had its say: saved names may be out of date.
  await withDeadline(options.firstWordMs ?? FIRST_WORD_MS, follower.firstWord, () => undefined);
  const saved = table.everFilled ? undefined : await file?.read(Date.now());
  // The store may have spoken while the file was read, and it knows better.
  if (saved !== undefined && follower.resyncs === 0) {
    table.replace(saved.hostnames, { nodes: saved.nodes, lost: new Set() });
    log.warn({ known: table.hostnames.size }, 'The store does not answer; starting with the saved host names');
  }
  const lostHosts = new LostHosts(table, greet);
  const lookup = new DirectLookup({
    source,
    inStep: () => follower.inStep,
    timeoutMs: options.lookupTimeoutMs ?? LOOKUP_TIMEOUT_MS,
    pauseMs: LOOKUP_PAUSE_MS,
    now: Date.now,
  });
  const answering = {
    askStore: (label: string) => lookup.ask(label),
    isUnreachable: (entry: HostnameEntry) => lostHosts.wasUnreachable(entry),
    onLocated: (label: string) => reporter?.note(label),
  };
  try {
    const responder = await startResponder<DnsOutcome>({
      ...TAKEN,
      host: options.listen.host ?? '127.0.0.1',
      port: options.listen.port,
      ...(options.listen.inherited === undefined ? {} : { inherited: options.listen.inherited }),
      answer: (question) => answer(question, table, answering),
      onAnswered: (outcome) => observer?.answered(outcome),
    });
    reporter?.start();
    const { host, port } = responder;
    log.info({ host, port, known: table.hostnames.size }, 'Discovery answers');
    return {
      address: { host, port },
      isLive: (label) => liveness(table.find(label) ?? lookup.ask(label), lostHosts),
      stats: () => statsOf(table, follower),
      close: async () => {
        await responder.close();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function liveness(
  found: HostnameEntry | ReturnType<DirectLookup['ask']>,
  lostHosts: LostHosts,
): Promise<Liveness> {
  const entry = await found;
  if (typeof entry === 'string') return entry;
  return (await lostHosts.isUnreachable(entry)) ? 'lost' : 'live';
}

function statsOf({ hostnames, nodes }: NameTable, { inStep, resyncs }: Follower): DiscoveryStats {
  return { hostnames: hostnames.size, nodes: nodes.size, inStep, resyncs };
}
