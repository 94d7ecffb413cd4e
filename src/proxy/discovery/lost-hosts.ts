import type { Greet } from './interfaces/greet.ts';
import type { HostnameEntry } from './interfaces/hostname-source.ts';
import type { NameTable } from './name-table.ts';

/** What runs reacts in milliseconds. Less than Caddy waits for our answer. */
const REACTION_MS = 700;
/** A look counts for so long: a host that comes back is found by then. */
const LOOK_LIFE_MS = 1_000;
/** Looks that are remembered; more visits on lost hosts than that are looked at more often. */
const REMEMBERED = 10_000;

interface Look {
  readonly result: Promise<boolean>;
  readonly atMs: number;
  /** What this look said, or the one before it while it goes on. */
  unreachable: boolean;
}

/**
 * Whether instances on lost hosts are gone for this proxy too. The servers take a node for lost that they do not hear
 * of; it may only be cut off from Valkey, and its visitors none the wiser. So nobody is told before it has been tried.
 */
export class LostHosts {
  readonly #table: NameTable;
  readonly #greet: Greet;
  readonly #nowMs: () => number;
  /** By node and port. */
  readonly #looks = new Map<string, Look>();

  constructor(table: NameTable, greet: Greet, nowMs = () => performance.now()) {
    this.#table = table;
    this.#greet = greet;
    this.#nowMs = nowMs;
  }

  /** As last looked, and has it looked at again: false as long as nobody has. */
  wasUnreachable(entry: HostnameEntry): boolean {
    return this.#table.isLost(entry.node) && this.#look(entry).unreachable;
  }

  async isUnreachable(entry: HostnameEntry): Promise<boolean> {
    return this.#table.isLost(entry.node) && this.#look(entry).result;
  }

  #look({ node, port }: HostnameEntry): Look {
    const place = `${node}:${port}`;
    const last = this.#looks.get(place);
    if (last !== undefined && this.#nowMs() - last.atMs < LOOK_LIFE_MS) return last;
    if (this.#looks.size >= REMEMBERED) this.#looks.clear();
    const look: Look = {
      atMs: this.#nowMs(),
      unreachable: last?.unreachable ?? false,
      result: this.#isGone(node, port).then((isGone) => {
        look.unreachable = isGone;
        return isGone;
      }),
    };
    this.#looks.set(place, look);
    return look;
  }

  async #isGone(node: string, port: number): Promise<boolean> {
    const address = this.#table.addressOf(node);
    if (address === undefined) return false;
    const seen = await this.#greet({ address, port }, REACTION_MS);
    return seen === 'refuses' || seen === 'silent' || seen === 'unreachable';
  }
}
