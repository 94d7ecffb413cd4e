import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';

const PROGRAM_HEADER_BYTES = 56;
const SYMBOL_BYTES = 24;
const DYNAMIC_ENTRY_BYTES = 16;
const SEGMENT = { load: 1, dynamic: 2 } as const;
const TAG = { stringTable: 5, symbolTable: 6, gnuHash: 0x6ffffef5 } as const;
/** Of symbols in one bucket of a hash table; the largest library has some ten. */
const MAX_CHAIN = 10_000;
const MAX_NAME = 256;
const MAX_DYNAMIC_BYTES = 64 * 1024;

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly bytes: number;
}

/**
 * Where functions lie that a 64-bit ELF file offers to others, relative to where its first byte is in memory. Reads a
 * few hundred bytes of the file, whatever its size; one that is not of this kind offers nothing.
 */
export async function exportedFunctions(path: string, names: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  const file = await open(path, 'r');
  try {
    const table = await hashTable(file);
    if (table === undefined) return found;
    for (const name of names) {
      const address = await lookUp(file, table, name);
      if (address !== undefined) found.set(name, address - table.firstAddress);
    }
  } finally {
    await file.close();
  }
  return found;
}

interface HashTable {
  readonly firstAddress: number;
  readonly strings: number;
  readonly symbols: number;
  readonly buckets: number;
  readonly bucketCount: number;
  readonly chains: number;
  readonly firstSymbol: number;
}

async function hashTable(file: FileHandle): Promise<HashTable | undefined> {
  const segments = await segmentsOf(file);
  const dynamic = segments.find(({ type }) => type === SEGMENT.dynamic);
  const first = segments.find(({ type, offset }) => type === SEGMENT.load && offset === 0);
  if (dynamic === undefined || first === undefined || dynamic.bytes > MAX_DYNAMIC_BYTES) return undefined;
  const entries = await bytesAt(file, dynamic.offset, dynamic.bytes);
  const tags = new Map<number, number>();
  for (let at = 0; at + DYNAMIC_ENTRY_BYTES <= entries.length; at += DYNAMIC_ENTRY_BYTES)
    tags.set(Number(entries.readBigUInt64LE(at)), Number(entries.readBigUInt64LE(at + 8)));
  const offsetOf = (tag: number): number | undefined => {
    const address = tags.get(tag);
    if (address === undefined) return undefined;
    const within = segments.find(
      (each) => each.type === SEGMENT.load && address >= each.address && address < each.address + each.bytes,
    );
    return within === undefined ? undefined : address - within.address + within.offset;
  };
  const [strings, symbols, hash] = [TAG.stringTable, TAG.symbolTable, TAG.gnuHash].map(offsetOf);
  if (strings === undefined || symbols === undefined || hash === undefined) return undefined;
  const header = await bytesAt(file, hash, 16);
  const bucketCount = header.readUInt32LE(0);
  const buckets = hash + 16 + header.readUInt32LE(8) * 8;
  return {
    firstAddress: first.address,
    strings,
    symbols,
    buckets,
    bucketCount,
    chains: buckets + bucketCount * 4,
    firstSymbol: header.readUInt32LE(4),
  };
}

async function segmentsOf(file: FileHandle): Promise<readonly Segment[]> {
  const header = await bytesAt(file, 0, 64);
  const is64LittleEndian = header.subarray(0, 6).equals(Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1]));
  if (!is64LittleEndian || header.readUInt16LE(54) !== PROGRAM_HEADER_BYTES) return [];
  const start = Number(header.readBigUInt64LE(32));
  const count = header.readUInt16LE(56);
  const table = await bytesAt(file, start, count * PROGRAM_HEADER_BYTES);
  return Array.from({ length: count }, (_, index) => {
    const entry = table.subarray(index * PROGRAM_HEADER_BYTES);
    return {
      type: entry.readUInt32LE(0),
      offset: Number(entry.readBigUInt64LE(8)),
      address: Number(entry.readBigUInt64LE(16)),
      bytes: Number(entry.readBigUInt64LE(32)),
    };
  });
}

async function lookUp(file: FileHandle, table: HashTable, name: string): Promise<number | undefined> {
  const { bucketCount, buckets, chains, firstSymbol, symbols, strings } = table;
  if (bucketCount === 0) return undefined;
  const wanted = gnuHash(name);
  const beginning = (await bytesAt(file, buckets + (wanted % bucketCount) * 4, 4)).readUInt32LE(0);
  if (beginning < firstSymbol) return undefined;
  for (let index = beginning; index < beginning + MAX_CHAIN; index += 1) {
    const hash = (await bytesAt(file, chains + (index - firstSymbol) * 4, 4)).readUInt32LE(0);
    // The last bit says where the bucket ends.
    if (hash >>> 1 === wanted >>> 1) {
      const symbol = await bytesAt(file, symbols + index * SYMBOL_BYTES, SYMBOL_BYTES);
      const isDefined = symbol.readUInt16LE(6) !== 0;
      if (isDefined && (await textAt(file, strings + symbol.readUInt32LE(0))) === name)
        return Number(symbol.readBigUInt64LE(8));
    }
    if (hash % 2 === 1) return undefined;
  }
  return undefined;
}

function gnuHash(name: string): number {
  return [...Buffer.from(name)].reduce((hash, byte) => (Math.imul(hash, 33) + byte) >>> 0, 5381);
}

async function textAt(file: FileHandle, position: number): Promise<string> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_NAME), 0, MAX_NAME, position);
  const end = buffer.subarray(0, bytesRead).indexOf(0);
  return end < 0 ? '' : buffer.toString('latin1', 0, end);
}

/** Zeros where the file ends. */
async function bytesAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer } = await file.read(Buffer.alloc(length), 0, length, position);
  return buffer;
}
