import Type from 'typebox';
import { Compile } from 'typebox/compile';
import type { Upstream } from '../pool/interfaces/upstream.ts';
import { parseVersioned } from './versioned.ts';

const validator = Compile(
  Type.Object({
    address: Type.String(),
    engine: Type.Optional(Type.Enum(['podman', 'docker', 'simulated'])),
  }),
);

/** A node's text changes with each of its announcements; there are as many as nodes, and some that are outdated. */
const REMEMBERED = 100;

type NodeEntry = Omit<Upstream, 'port'>;

/** The entries of the `nodes` hash, each text read once: a claim brings one along. */
export class NodeEntries {
  readonly #read = new Map<string, NodeEntry | undefined>();

  /** Undefined for a node without an entry, or with one of another version. */
  upstream(text: string, port: number): Upstream | undefined {
    if (!this.#read.has(text)) {
      if (this.#read.size >= REMEMBERED) this.#read.clear();
      this.#read.set(text, readNodeEntry(text));
    }
    const node = this.#read.get(text);
    return node === undefined ? undefined : { ...node, port };
  }
}

/** Undefined for an entry of another version. */
export function readNodeEntry(text: string): NodeEntry | undefined {
  const value: unknown = parseVersioned(text);
  if (!validator.Check(value)) return undefined;
  return { address: value.address, ...(value.engine === undefined ? {} : { engine: value.engine }) };
}

/** Where a node is found, also one on an engine that this version does not know: names lead there all the same. */
export function readNodeAddress(text: string): string | undefined {
  const address = parseVersioned(text)?.['address'];
  return typeof address === 'string' ? address : undefined;
}
