import { appendFile, mkdtemp, readFile, readdir, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { silent } from '../../../test/support/store.ts';
import type { HostnameChange, HostnameEntry } from './interfaces/hostname-source.ts';
import { NameTable } from './name-table.ts';
import { SnapshotFile, type Snapshot } from './snapshot-file.ts';

const NODES = { nodes: new Map([['node0', '127.0.0.1']]), lost: new Set<string>() };

let folder: string;
let path: string;
let table: NameTable;
let file: SnapshotFile;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'try-it-now-names-'));
  path = join(folder, 'names.json');
  begin();
});
afterEach(async () => {
  await file.close();
  await rm(folder, { recursive: true });
});

/** As a process that starts. */
function begin(): void {
  table = new NameTable();
  file = new SnapshotFile(path, table, silent);
}

function know(count: number): void {
  const hostnames = new Map(named(0, count).map(({ label, entry }): [string, HostnameEntry] => [label, entry]));
  table.replace(hostnames, NODES);
  file.noted({ kind: 'snapshot', hostnames, ...NODES });
}

function change(...changes: HostnameChange[]): void {
  table.apply(changes);
  file.noted({ kind: 'changes', changes });
}

function named(from: number, count: number): (HostnameChange & { readonly entry: HostnameEntry })[] {
  return Array.from({ length: count }, (_, at) => ({
    label: `name${String(from + at).padStart(16, '0')}`,
    entry: { node: 'node0', port: 20_000 + ((from + at) % 10_000) },
  }));
}

const gone = (changes: readonly HostnameChange[]): HostnameChange[] =>
  changes.map(({ label }) => ({ label, entry: undefined }));

/** What is known is in the file, and nothing else. */
async function saved(): Promise<void> {
  await eventually(async () => expect(await read()).toEqual({ hostnames: table.hostnames, nodes: table.nodes }));
}

async function read(): Promise<Snapshot | undefined> {
  const reader = new SnapshotFile(path, new NameTable(), silent);
  const snapshot = await reader.read(Date.now());
  await reader.close();
  return snapshot;
}

it('a change costs its line, however many names there are', async () => {
  know(5_000);
  await saved();
  const before = await stat(path);
  change(...named(5_000, 1), ...gone(named(17, 1)));
  await saved();
  table.setNodes({ ...NODES, nodes: new Map([['node1', '192.0.2.1']]) });
  file.noted({ kind: 'nodes', nodes: table.nodes, lost: new Set() });
  await saved();
  const after = await stat(path);
  expect([after.ino, after.mode & 0o777]).toEqual([before.ino, 0o600]);
  expect(after.size - before.size).toBeLessThan(200);
});

it('is no longer than the names and as many changes', async () => {
  know(100);
  await saved();
  for (let round = 1; round <= 4; round += 1) {
    change(...named(1_000, 500), ...gone(named(1_000, 500)), ...named(2_000 + round, 1));
    await saved();
  }
  expect((await readFile(path, 'utf8')).split('\n').length).toBeLessThan(1_300);
});

it('holds what changes while all of it is written', async () => {
  know(20_000);
  await saved();
  know(30_000);
  let from = 30_000;
  const busy = setInterval(() => {
    change(...named(from, 50), ...gone(named(from - 20_000, 50)));
    from += 50;
  }, 2);
  await eventually(async () => expect((await read())?.hostnames.has(named(30_000, 1)[0]?.label ?? '')).toBe(true));
  clearInterval(busy);
  await saved();
});

it('leaves others their turns while all of it is written', async () => {
  know(100_000);
  let turns = 0;
  let isWritten = false;
  const takeTurn = (): void => {
    turns += 1;
    if (!isWritten) setImmediate(takeTurn);
  };
  await eventually(async () => expect((await readdir(folder)).some((name) => name.endsWith('.tmp'))).toBe(true));
  takeTurn();
  await saved();
  isWritten = true;
  expect(turns).toBeGreaterThan(100);
});

it('a line that a crash has cut off is as if it had not been begun', async () => {
  know(3);
  change(...named(3, 1));
  await saved();
  const before = await readFile(path, 'utf8');
  await file.close();
  await truncate(path, before.length - 5);
  expect([...((await read())?.hostnames.keys() ?? [])]).toEqual(named(0, 3).map(({ label }) => label));
  // Whoever comes next adds nothing to it.
  begin();
  know(4);
  change(...named(4, 1));
  await saved();
});

it.each([
  ['is gone', () => rm(path)],
  ['was written by somebody else', () => appendFile(path, '["half a li')],
])('is written as a whole where it %s', async (_, spoil) => {
  know(3);
  await saved();
  await spoil();
  change(...named(3, 1));
  await saved();
});

it.each([
  ['with a line that says nothing', '["a",7]\n["b"]\n'],
  ['with half a line in its midst', '["a","node0\n["b"]\n'],
])('is not believed %s', async (_, lines) => {
  know(3);
  await saved();
  await appendFile(path, lines);
  expect(await read()).toBeUndefined();
});
