import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { boundSwap, frozen, swapOut } from './control-groups.ts';

let group: string;

beforeEach(async () => {
  group = await mkdtemp(join(tmpdir(), 'tin-group-'));
  return () => rm(group, { recursive: true });
});

const holds = (name: string): Promise<string> => readFile(join(group, name), 'utf8');

it('asks a group of version 2 for all that it holds, and leaves it no swap besides, whatever it had', async () => {
  // By a server that was killed at it.
  await writeFile(join(group, 'memory.swap.max'), 'max\n');
  await writeFile(join(group, 'memory.current'), '73400320\n');
  await writeFile(join(group, 'memory.reclaim'), '');
  await swapOut(group);
  expect(await holds('memory.reclaim')).toBe('73400320');
  expect(await holds('memory.swap.max')).toMatch(/^0/);
});

it('puts the bound back when the kernel cannot be told', async () => {
  await writeFile(join(group, 'memory.swap.max'), '000');
  await expect(swapOut(group)).rejects.toThrow('memory.reclaim');
  expect(await holds('memory.swap.max')).toMatch(/^0/);
});

it('puts the bound of swap back that was lifted, and nothing else', async () => {
  await writeFile(join(group, 'memory.swap.max'), 'max\n');
  await boundSwap(group);
  expect(await holds('memory.swap.max')).toMatch(/^0/);
  await writeFile(join(group, 'memory.swap.max'), '4096\n');
  await boundSwap(group);
  expect(await holds('memory.swap.max')).toBe('4096\n');
  await boundSwap(join(group, 'gone'));
});

it('empties a group of version 1', async () => {
  await writeFile(join(group, 'memory.force_empty'), '');
  await swapOut(group);
  expect(await holds('memory.force_empty')).toBe('0');
});

it.each([
  ['1', 'freezer.state', 'THAWED', 'FROZEN'],
  ['2', 'cgroup.freeze', '0', '1'],
])('has a group of version %s stand still while the work is done, failing too', async (_, file, runs, stands) => {
  await writeFile(join(group, file), runs);
  await writeFile(join(group, 'cgroup.events'), 'populated 1\nfrozen 1\n');
  expect(await frozen(group, () => holds(file))).toBe(stands);
  expect(await holds(file)).toBe(runs);
  await expect(frozen(group, () => Promise.reject(new Error('no more')))).rejects.toThrow('no more');
  expect(await holds(file)).toBe(runs);
  await expect(frozen(join(group, 'gone'), () => Promise.resolve())).rejects.toThrow('could not be stopped');
});
