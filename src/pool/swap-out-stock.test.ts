import { beforeEach, expect, it } from 'vitest';
import { LogBook } from '../../test/support/queue.ts';
import { template } from '../../test/support/templates.ts';
import type { Instance } from '../domain/instance.ts';
import { Catalogue } from '../domain/template.ts';
import { SwapOutStock } from './swap-out-stock.ts';

const READY_AT_MS = 1_000_000;
const SETTLED_AT_MS = READY_AT_MS + 20_000;
const never = new AbortController().signal;

let held: Pick<Instance, 'id' | 'template' | 'state' | 'container' | 'readyAtMs'>[];
let nowMs: number;
let free: number;
let written: string[];
let counted: string[];
let log: LogBook;
let stock: SwapOutStock;

beforeEach(() => {
  held = [];
  nowMs = SETTLED_AT_MS;
  free = 100;
  written = [];
  counted = [];
  log = new LogBook();
  stock = new SwapOutStock({
    catalogue: new Catalogue([template({ name: 'shop', memory: 'swap' }), template({ name: 'blog' })]),
    inventory: { ofNode: () => Promise.resolve(held) },
    consumption: {
      swap: () => Promise.resolve({ total: 100, free }),
      swapOut: (container) => {
        if (container === 'refused') return Promise.reject(new Error('no such file'));
        written.push(container);
        return Promise.resolve();
      },
    },
    observer: { swappedOut: (name) => counted.push(name) },
    node: { name: 'node0' },
    clock: { now: () => nowMs },
    log,
  });
});

function hold(container: string, more: Partial<(typeof held)[number]> = {}): void {
  held.push({ id: container, template: 'shop', state: 'ready', container, readyAtMs: READY_AT_MS, ...more });
}

it('writes what ready instances of such templates hold, once each', async () => {
  hold('a');
  hold('b', { state: 'assigned' });
  hold('c', { template: 'blog' });
  hold('d', { state: 'warming', readyAtMs: null });
  await stock.round(never);
  hold('e');
  await stock.round(never);
  expect(written).toEqual(['a', 'e']);
  expect(counted).toEqual(['shop', 'shop']);
});

it('waits until an app has settled', async () => {
  hold('a');
  nowMs = SETTLED_AT_MS - 1;
  await stock.round(never);
  expect(written).toEqual([]);
  nowMs = SETTLED_AT_MS;
  await stock.round(never);
  expect(written).toEqual(['a']);
});

it('leaves a part of swap to the host, says so once, and goes on when there is room', async () => {
  hold('a');
  free = 20;
  await stock.round(never);
  await stock.round(never);
  expect(written).toEqual([]);
  expect(log.with('stay in memory')).toHaveLength(1);
  free = 21;
  await stock.round(never);
  expect(written).toEqual(['a']);
});

it('says why the kernel cannot be told, and tries again', async () => {
  hold('refused');
  await stock.round(never);
  expect(log.with('stay in memory').map(({ fields }) => fields['reason'])).toEqual(['no such file']);
  held = [];
  hold('a');
  await stock.round(never);
  expect(written).toEqual(['a']);
  expect(counted).toEqual(['shop']);
});

it('takes some in a round, and none after the signal', async () => {
  for (let at = 0; at < 12; at += 1) hold(`c${at}`);
  await stock.round(AbortSignal.abort());
  expect(written).toEqual([]);
  await stock.round(never);
  expect(written).toHaveLength(10);
  await stock.round(never);
  expect(written).toHaveLength(12);
});
