import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { HostnameChange, HostnameEntry, KnownNodes } from './interfaces/hostname-source.ts';

/** Everything discovery knows, in memory: questions are answered from here whatever becomes of the store. */
export class NameTable {
  #hostnames = new Map<string, HostnameEntry>();
  /** Node name (lower case, as DNS compares) → what the store says its address is. */
  #nodes = new Map<string, string>();
  /** Addresses of those nodes that are given by host name. */
  readonly #resolved = new Map<string, string>();
  /** In lower case, too. */
  #lost: ReadonlySet<string> = new Set();
  #everFilled = false;

  /** False until the first snapshot, from the store or from a file: until then nothing can be called unknown. */
  get everFilled(): boolean {
    return this.#everFilled;
  }

  get hostnames(): ReadonlyMap<string, HostnameEntry> {
    return this.#hostnames;
  }

  get nodes(): ReadonlyMap<string, string> {
    return this.#nodes;
  }

  replace(hostnames: ReadonlyMap<string, HostnameEntry>, known: KnownNodes): void {
    this.#hostnames = new Map(hostnames);
    this.#everFilled = true;
    this.setNodes(known);
  }

  apply(changes: readonly HostnameChange[]): void {
    for (const { label, entry } of changes) {
      if (entry === undefined) this.#hostnames.delete(label);
      else this.#hostnames.set(label, entry);
    }
  }

  /** True when something is different from before that a restart has to know. */
  setNodes({ nodes, lost }: KnownNodes): boolean {
    this.#lost = new Set([...lost].map((name) => name.toLowerCase()));
    const next = new Map([...nodes].map(([name, address]) => [name.toLowerCase(), address]));
    const same =
      next.size === this.#nodes.size && [...next].every(([name, address]) => this.#nodes.get(name) === address);
    this.#nodes = next;
    for (const address of next.values()) {
      if (isIP(address) === 0) void this.#resolve(address);
    }
    return !same;
  }

  find(label: string): HostnameEntry | undefined {
    return this.#hostnames.get(label);
  }

  /** The servers take the node for lost. */
  isLost(node: string): boolean {
    return this.#lost.has(node.toLowerCase());
  }

  /** The node's IP address; undefined when the node is unknown or its host name has never resolved. */
  addressOf(node: string): string | undefined {
    const address = this.#nodes.get(node.toLowerCase());
    return address === undefined || isIP(address) !== 0 ? address : this.#resolved.get(address);
  }

  /**
   * In the background, so that a slow resolver slows no answer; the last good address stays until there is a newer one.
   */
  async #resolve(hostname: string): Promise<void> {
    try {
      this.#resolved.set(hostname, (await lookup(hostname)).address);
    } catch {
      // Asked again with the next reading of the nodes.
    }
  }
}
