import { constants } from 'node:fs';
import { open, readFile, rename, rm, stat, utimes, type FileHandle } from 'node:fs/promises';
import { describeError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import type { NameTable } from './name-table.ts';
import type { HostnameChange, HostnameEntry, HostnameEvent, KnownNodes } from './interfaces/hostname-source.ts';

const VERSION = 2;
/** Changes come in bursts; one write for all of them. */
const WRITE_DELAY_MS = 500;
/** Lines made in one go. Nobody is answered meanwhile: a fraction of a millisecond. */
const SLICE_LINES = 500;
/** So many lines of changes are no reason to write a short file again. */
const SPARE_LINES = 1_000;
/** The file's time says when a discovery process last lived on it. */
const TOUCH_EVERY_MS = 30_000;
/** Ports that a longer absence ago belonged to one instance may belong to another by now. */
const BELIEVED_FOR_MS = 5 * 60_000;

export interface Snapshot {
  readonly hostnames: ReadonlyMap<string, HostnameEntry>;
  readonly nodes: ReadonlyMap<string, string>;
}

/** A name's, or all nodes as they are now. */
type Change = HostnameChange | Pick<KnownNodes, 'nodes'>;

/** As this process left its file. */
interface Left {
  readonly ino: number;
  readonly size: number;
  readonly lines: number;
}

/**
 * What discovery knows, on disk, so that one that restarts while the store is unavailable still knows the names. Host
 * names open apps to anyone who knows them, so only the owner may read the file.
 *
 * A line of JSON each: `{"v":2,"nodes":{…}}`, then `[label, node, port]` of a name, `[label]` of one that is gone,
 * `{"nodes":{…}}` where those changed. A change costs its line. All names are written, beside the file and into its
 * place, at the first change and whenever half of the lines may be history.
 */
export class SnapshotFile {
  readonly #path: string;
  readonly #table: NameTable;
  readonly #log: Log;
  readonly #toucher: NodeJS.Timeout;
  #pending: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #failing = false;
  /** What is not in the file yet, the oldest first. */
  #unsaved: Change[] = [];
  /** Undefined: nothing can be added to it. */
  #left: Left | undefined;

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

  /** To be told of each change of the table, once it is made. */
  noted(event: HostnameEvent): void {
    if (event.kind === 'changes') this.#unsaved.push(...event.changes);
    else if (event.kind === 'nodes') this.#unsaved.push(event);
    // A disk that takes nothing for long costs no more memory than the names do.
    if (event.kind === 'snapshot' || this.#unsaved.length > this.#mostLines) this.#forget();
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
    try {
      const changes = this.#unsaved;
      this.#unsaved = [];
      if (!(await this.#append(changes))) await this.#writeAll();
      this.#failing = false;
    } catch (error) {
      this.#forget();
      if (!this.#failing)
        this.#log.warn(
          { file: this.#path, reason: describeError(error) },
          'Host names cannot be saved; a restart while the store is unavailable would know none',
        );
      this.#failing = true;
    }
  }

  get #mostLines(): number {
    return 2 * this.#table.hostnames.size + SPARE_LINES;
  }

  /** All names are to be written: what else is known of the file is void. */
  #forget(): void {
    this.#left = undefined;
    this.#unsaved = [];
  }

  /** False: not to a file that is too long, that somebody else has changed or that ends in half a line. */
  async #append(changes: readonly Change[]): Promise<boolean> {
    const left = this.#left;
    if (left === undefined || left.lines + changes.length > this.#mostLines) return false;
    const file = await open(this.#path, constants.O_WRONLY | constants.O_APPEND).catch(() => undefined);
    if (file === undefined) return false;
    try {
      const { ino, size } = await file.stat();
      if (ino !== left.ino || size !== left.size) return false;
      const now = await put(file, linesOf(changes));
      // All names became due meanwhile.
      if (this.#left === left) this.#left = { ...now, lines: left.lines + now.lines };
      return true;
    } finally {
      await file.close();
    }
  }

  /** What changes meanwhile may be among it; it is added afterwards all the same. */
  async #writeAll(): Promise<void> {
    const begun: Left = { ino: 0, size: 0, lines: 0 };
    this.#left = begun;
    this.#unsaved = [];
    const draft = `${this.#path}.${process.pid}.tmp`;
    try {
      const file = await open(draft, 'w', 0o600);
      try {
        const now = await put(file, allLines(this.#table));
        if (this.#left === begun) this.#left = now;
      } finally {
        await file.close();
      }
      await rename(draft, this.#path);
    } catch (error) {
      // Half a file on a full disk is in nobody's way but the next one's.
      await rm(draft, { force: true }).catch(() => undefined);
      throw error;
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

/** A slice at a time: between two of them others have their turn. */
async function put(file: FileHandle, lines: Iterable<string>): Promise<Left> {
  let slice: string[] = [];
  let count = 0;
  for (const line of lines) {
    slice.push(line);
    count += 1;
    if (slice.length < SLICE_LINES) continue;
    await file.writeFile(slice.join(''));
    slice = [];
  }
  await file.writeFile(slice.join(''));
  const { ino, size } = await file.stat();
  return { ino, size, lines: count };
}

function* allLines({ hostnames, nodes }: NameTable): Generator<string> {
  yield lineOf({ v: VERSION, ...asObject(nodes) });
  for (const [label, { node, port }] of hostnames) yield lineOf([label, node, port]);
}

function* linesOf(changes: readonly Change[]): Generator<string> {
  for (const change of changes) {
    if ('nodes' in change) yield lineOf(asObject(change.nodes));
    else if (change.entry === undefined) yield lineOf([change.label]);
    else yield lineOf([change.label, change.entry.node, change.entry.port]);
  }
}

function asObject(nodes: ReadonlyMap<string, string>): { readonly nodes: Record<string, string> } {
  return { nodes: Object.fromEntries(nodes) };
}

function lineOf(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

function parseSnapshot(text: string): Snapshot {
  const [first = '', ...lines] = text.split('\n');
  const header = asRecord(JSON.parse(first));
  if (header['v'] !== VERSION) throw new Error(`version ${String(header['v'])} is not ${VERSION}`);
  const hostnames = new Map<string, HostnameEntry>();
  let nodes = parseNodes(header);
  // What is behind the end of the last line was being written when its process or its host came to an end.
  for (const line of lines.slice(0, -1)) {
    const change: unknown = JSON.parse(line);
    if (!Array.isArray(change)) nodes = parseNodes(asRecord(change));
    else {
      const [label, node, port] = change as unknown[];
      if (typeof label === 'string' && typeof node === 'string' && typeof port === 'number')
        hostnames.set(label, { node, port });
      else if (typeof label === 'string' && change.length === 1) hostnames.delete(label);
      else throw new Error('an entry is damaged');
    }
  }
  return { hostnames, nodes };
}

function parseNodes({ nodes }: Record<string, unknown>): Map<string, string> {
  const addresses = Object.entries(asRecord(nodes)).map(([node, address]): [string, string] => {
    if (typeof address !== 'string') throw new Error('a node is damaged');
    return [node, address];
  });
  return new Map(addresses);
}

function asRecord(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw new Error('it is damaged');
  return value as Record<string, unknown>;
}
