import type { OutboxEntry } from '../../domain/visit-event.ts';

export interface StoredEntry {
  /** Rises from entry to entry. */
  readonly key: string;
  /** Undefined for one of another version, or damaged. */
  readonly entry: OutboxEntry | undefined;
}

/** What happened, written down in the store together with the change, until the stream of events has it. */
export interface EventOutbox {
  /** From now on at most so many are kept; 0: none, and those that are kept are discarded. */
  limit(entries: number): Promise<void>;
  /** Whether this process moves them for the next `forMs`; another one may have its turn. */
  takeTurn(forMs: number): Promise<boolean>;
  /** Whether it still does, by its own clock. */
  readonly hasTurn: boolean;
  /** The oldest first. */
  read(count: number): Promise<readonly StoredEntry[]>;
  /** Up to and with this one. */
  forget(upTo: string): Promise<void>;
  /** How many wait, and how many were dropped because it was full. */
  state(): Promise<OutboxState>;
}

export interface OutboxState {
  readonly waiting: number;
  readonly dropped: number;
  /** 0: nothing is written down. */
  readonly limit: number;
  /** Of the oldest entry; undefined without one. */
  readonly oldestAtMs: number | undefined;
}
