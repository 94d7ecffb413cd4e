import type { Clock } from '../domain/clock.ts';
import { DATABASE_SERVERS, type DatabaseEngine, type DatabaseSeed } from '../domain/database.ts';
import { TryItNowError } from '../domain/errors.ts';
import type { Entropy } from '../domain/ids.ts';
import type { Log } from '../domain/log.ts';
import type { Catalogue, Template } from '../domain/template.ts';

export interface ServerLogin {
  readonly socketPath: string;
  /** Where a relay leads that socket: a server that nodes share. Undefined: the server of this host opens it. */
  readonly shared?: { readonly host: string; readonly port: number } | undefined;
  readonly user: string;
  readonly password: string;
  /** SERVER_PATIENCE without it. */
  readonly patience?: ServerPatience | undefined;
}

/** For people. */
export function placeOf({ socketPath, shared }: ServerLogin): string {
  return shared === undefined ? socketPath : `${shared.host}:${shared.port}, by the relay at ${socketPath}`;
}

/** What to do about a server that cannot be reached. */
export function reachRemedy(engine: DatabaseEngine, { shared }: ServerLogin): string {
  const { socket, url } = DATABASE_SERVERS[engine];
  return shared === undefined
    ? `start it, or check ${socket}`
    : `start it, or the relay on this host (try-it-now database-relay), or check ${url}`;
}

export interface ServerPatience {
  /** A server that takes longer for a statement has hung. */
  readonly answerMs: number;
  /** How long the server waits for somebody else's lock before it says so. */
  readonly lockWaitS: number;
  /**
   * How long the server hears nothing of us before it ends a session, and with it the locks: a host that lost its power
   * says nothing. Work of the server's own, however long, is no silence.
   */
  readonly silenceS: number;
}

/** Longer than the server itself waits for a lock, so that its own explanation arrives first. */
export const SERVER_PATIENCE: ServerPatience = { answerMs: 10_000, lockWaitS: 8, silenceS: 15 };

/** What instances may have of a server, whatever their sessions set; more ends the sessions. */
export interface SessionBounds {
  /** Above what a user starts with, so that the server's own message comes first. */
  readonly longestStatementMs: number;
  /** An old one keeps what all others delete and change on the disk. */
  readonly longestTransactionMs: number;
  /** For all sessions of an instance together. */
  readonly memoryBytes: number;
  /** For all sessions of an instance together, beyond their share for ever: with more, others come first. */
  readonly processorMs: number;
  /** Of one processor, which anybody may use for ever. */
  readonly processorShare: number;
}

export const SESSION_BOUNDS: SessionBounds = {
  longestStatementMs: 90_000,
  longestTransactionMs: 10 * 60_000,
  memoryBytes: 256 * 2 ** 20,
  processorMs: 3_000,
  processorShare: 0.25,
};

export interface DatabaseOptions extends ServerLogin {
  readonly deployment: string;
  /** Where instances see the folder of the socket: DATABASE_MOUNT. */
  readonly mountedAt: string;
  /** All that are offered. */
  readonly catalogue: Pick<Catalogue, 'all'>;
  /** Keep watch over what instances take of the server: for the server alone, which runs long enough. */
  readonly guards?: boolean;
  /** SESSION_BOUNDS without them. */
  readonly sessionBounds?: Partial<SessionBounds> | undefined;
  readonly log: Log;
  readonly clock?: Clock;
  readonly entropy?: Entropy;
}

export function seedsFor(engine: DatabaseEngine, templates: readonly Template[]): DatabaseSeed[] {
  return templates.flatMap(({ database }) => (database?.engine === engine ? [database] : []));
}

/** How many connections the instances of the largest pool on this engine may take. */
export function connectionsWanted(engine: DatabaseEngine, templates: readonly Template[], each: number): number {
  return Math.max(0, ...templates.map(({ database, pool }) => (database?.engine === engine ? pool.max : 0))) * each;
}

/** What the database of an instance of this template is filled from. Throws database_failed. */
export function requireSeed(engine: DatabaseEngine, template: Template, name: string): DatabaseSeed {
  const seed = template.database;
  if (seed?.engine === engine) return seed;
  throw new TryItNowError(
    'database_failed',
    `The template ${template.name} has no database on ${DATABASE_SERVERS[engine].title}, so ${name} cannot be made ` +
      'for it; give it a seed in the catalogue',
  );
}
