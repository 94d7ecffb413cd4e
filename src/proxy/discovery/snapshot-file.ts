import { readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { describeError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import type { NameTable } from './name-table.ts';
import type { HostnameEntry } from './interfaces/hostname-source.ts';

const VERSION = 1;
/** Changes come in bursts; one write for all of them. */
const WRITE_DELAY_MS = 500;
/** The file's time says when a discovery process last lived on it. */
const TOUCH_EVERY_MS = 30_000;
/** Ports that a longer absence ago belonged to one instance may belong to another by now. */
const BELIEVED_FOR_MS = 5 * 60_000;

export interface Snapshot {
  readonly hostnames: ReadonlyMap<string, HostnameEntry>;
  readonly nodes: ReadonlyMap<string, string>;
}

/**
 * What discovery knows, on disk, so that one that restarts while the store is unavailable still knows the names. Host
 * names open apps to anyone who knows them, so only the owner may read the file.
 */
export class SnapshotFile {
  readonly #path: string;
  readonly #table: NameTable;
  readonly #log: Log;
  readonly #toucher: NodeJS.Timeout;
  #pending: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #failing = false;

  constructor(path: string, table: NameTable, log: Log) {
    this.#path = path;
    this.#table = table;
    this.#log = log;
    this.#toucher = setInterval(() => {
      void this.#touch();
    }, TOUCH_EVERY_MS).unref();
  }

  /** The saved names; undefined when there are none, or none to be believed. */
  async read(nowMs: number): Promise<Snapshot | undefined> {
    try {
      const { mtimeMs } = await stat(this.#path);
      if (nowMs - mtimeMs <= BELIEVED_FOR_MS) return parseSnapshot(await readFile(this.#path, 'utf8'));
      this.#log.warn(
        { file: this.#path, ageMs: Math.round(nowMs - mtimeMs) },
        'The saved host names are too old to be believed',
      );
    } catch (error) {
      if (!isMissing(error))
        this.#log.warn({ file: this.#path, reason: describeError(error) }, 'The saved host names cannot be read');
    }
    return undefined;
  }

  changed(): void {
    this.#pending ??= setTimeout(() => {
      this.#pending = undefined;
      this.#writing = this.#writing.then(() => this.#write());
    }, WRITE_DELAY_MS);
  }

  /** Writes what is still waiting to be written. */
  async close(): Promise<void> {
    clearInterval(this.#toucher);
    if (this.#pending !== undefined) {
      clearTimeout(this.#pending);
      this.#pending = undefined;
      this.#writing = this.#writing.then(() => this.#write());
    }
    await this.#writing;
  }

  async #write(): Promise<void> {
    const { hostnames, nodes } = this.#table;
    const text = JSON.stringify({
      v: VERSION,
      hostnames: Object.fromEntries(hostnames),
      nodes: Object.fromEntries(nodes),
    });
    const draft = `${this.#path}.${process.pid}.tmp`;
    try {
      await writeFile(draft, text, { mode: 0o600 });
      await rename(draft, this.#path);
      this.#failing = false;
    } catch (error) {
      // Half a file on a full disk is in nobody's way but the next one's.
      await rm(draft, { force: true }).catch(() => undefined);
      if (!this.#failing)
        this.#log.warn(
          { file: this.#path, reason: describeError(error) },
          'Host names cannot be saved; a restart while the store is unavailable would know none',
        );
      this.#failing = true;
    }
  }

  async #touch(): Promise<void> {
    const now = new Date();
    // A missing file is written with the next change.
    await utimes(this.#path, now, now).catch(() => undefined);
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function parseSnapshot(text: string): Snapshot {
  const { v, hostnames, nodes } = asRecord(JSON.parse(text));
  if (v !== VERSION) throw new Error(`version ${String(v)} is not ${VERSION}`);
  const entries = Object.entries(asRecord(hostnames)).map(([label, value]): [string, HostnameEntry] => {
    const { node, port } = asRecord(value);
    if (typeof node !== 'string' || typeof port !== 'number') throw new Error('an entry is damaged');
    return [label, { node, port }];
  });
  const addresses = Object.entries(asRecord(nodes)).map(([node, address]): [string, string] => {
    if (typeof address !== 'string') throw new Error('a node is damaged');
    return [node, address];
  });
  return { hostnames: new Map(entries), nodes: new Map(addresses) };
}

function asRecord(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw new Error('it is damaged');
  return value as Record<string, unknown>;
}
