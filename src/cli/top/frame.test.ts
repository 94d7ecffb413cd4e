import { describe, expect, it } from 'vitest';
import { readSamples } from './samples.ts';
import { frame, type Snapshot, type View } from './frame.ts';

const pool = (overrides: Partial<Snapshot['pools'][number]> = {}): Snapshot['pools'][number] => ({
  template: 'shop',
  mode: 'open',
  since: null,
  deadline: null,
  reason: null,
  ready: 3,
  assigned: 1,
  warming: 0,
  leaving: 0,
  waiting: 0,
  target: 3,
  configured_target: 3,
  operator_target: null,
  operator_target_until: null,
  size: null,
  capacity: 10,
  breaker: { open: false, failures: 0, retry_in_seconds: 0 },
  ...overrides,
});

const node = (overrides: Partial<Snapshot['nodes'][number]> = {}): Snapshot['nodes'][number] => ({
  ...{ name: 'node0', state: 'active', since: null, deadline: null, alive: true, heartbeat_age_seconds: 1 },
  ...{ address: '10.0.0.1', engine: 'podman', version: '1.0.0', labels: [], capacity: null, cpus: 4, ports: 400 },
  instances: { warming: 1, ready: 3, assigned: 2, leaving: 0 },
  ports_free: 394,
  memory: { total: 200, available: 50 },
  disk: { total: 100, available: 80 },
  ...{ disk_low: false, checkpoints: [], arrivals: [], avoided: [] },
  ...overrides,
});

const snapshot = (atMs: number, taken: number, pools = [pool()]): Snapshot => ({
  atMs,
  pools,
  nodes: [node()],
  queue: {
    stream: { messages: 2, bytes: 100, oldest_at: null },
    consumers: [{ name: 'provision-workers', pending: 2, in_flight: 1, redelivered: 0, waiting_pulls: 4 }],
    dead: { messages: 0 },
  },
  samples: readSamples(`try_it_now_takes_total{template="shop",outcome="taken"} ${taken}\n`),
});

const view = (overrides: Partial<View> = {}): View => ({
  url: 'http://127.0.0.1:8081',
  before: snapshot(0, 10),
  now: snapshot(2_000, 30),
  trouble: undefined,
  intervalMs: 2_000,
  ...overrides,
});

it.each([20, 79, 80, 110, 200])('stays within %i columns', (columns) => {
  const long = pool({ template: 'a-template-with-a-very-long-name', mode: 'paused', reason: 'x'.repeat(300) });
  const lines = frame(view({ now: snapshot(2_000, 30, [pool(), long]) }), columns, 60);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
});

it('says that there is more where the window is too low', () => {
  const pools = Array.from({ length: 30 }, (_, at) => pool({ template: `t${at}` }));
  const lines = frame(view({ now: snapshot(2_000, 30, pools) }), 80, 10);
  expect(lines).toHaveLength(10);
  expect(lines.at(-1)).toMatch(/more lines/);
});

it('counts rates between two snapshots, and shows none before there are two', () => {
  const row = (given: View): string => frame(given, 80, 40).find((line) => line.startsWith('shop')) ?? '';
  expect(row(view()).split(/\s+/)).toContain('10');
  expect(
    row(view({ before: undefined }))
      .split(/\s+/)
      .slice(-3),
  ).toEqual(['-', '-', '-']);
});

it('keeps showing the last snapshot beside why there is none newer', () => {
  const lines = frame(view({ trouble: { sinceMs: 0, why: 'refused' } }), 80, 40);
  expect(lines.join('\n')).toMatch(/00:00:00.*refused/);
  expect(lines.some((line) => line.startsWith('shop'))).toBe(true);
});

it('lets no control character of an operator through to the terminal', () => {
  const evil = pool({ mode: 'paused', reason: '\u001b[2J\u001b]0;gone\u0007' });
  expect(frame(view({ now: snapshot(2_000, 30, [evil]) }), 120, 40).join('')).not.toMatch(/\p{Cc}/u);
});

describe('nodes', () => {
  const lines = (nodes: Snapshot['nodes'], columns = 80): readonly string[] =>
    frame(view({ now: { ...snapshot(2_000, 30), nodes } }), columns, 60);
  const words = (found: readonly string[], name: string): string[] =>
    found.find((line) => line.startsWith(name))?.split(/\s{2,}/) ?? [];

  it('have a line each, with what they hold and have left', () => {
    const full = node({ name: 'node1', state: 'draining', capacity: 7, disk: null });
    const found = lines([node(), full, node({ name: 'node2', alive: false, memory: null, disk: null })]);
    expect(words(found, 'node0')).toEqual(['node0', 'active', '3', '2', '1', '0', '394', '25 %', '80 %']);
    expect(words(found, 'node1')).toEqual(['node1', 'draining', '3', '2', '1', '0', '1', '25 %', '-']);
    expect(words(found, 'node2')).toEqual(['node2', 'silent', '3', '2', '1', '0', '-', '-', '-']);
  });

  it('are not shown where there is one', () => {
    expect(lines([node()]).join('\n')).not.toMatch(/NODE|node0/);
  });

  it('that get no instances of a template are named', () => {
    const avoided = [{ template: 'shop', reason: 'no image' }];
    const named = (nodes: Snapshot['nodes']) => lines(nodes).filter((line) => line.startsWith('Some templates'));
    expect(named([node(), node({ name: 'node1', avoided })])[0]).toMatch(/not made on node1 \(/);
    expect(named([node(), node({ name: 'node1', avoided, state: 'cordoned' })])).toEqual([]);
    const tried = [{ template: 'shop', reason: 'no image', last_resort: true }];
    expect(named([node({ avoided: tried }), node({ name: 'node1', avoided: tried })])).toEqual([]);
  });

  it.each([80, 110])('fit %i columns whatever they are called', (columns) => {
    const wide = node({
      name: 'a-host-with-a-very-long-name.example',
      instances: { warming: 1_000, ready: 10_000, assigned: 10_000, leaving: 1_000 },
      ports_free: 30_000,
    });
    const found = lines([wide, node({ name: 'node1', state: 'draining' })], columns);
    expect(Math.max(...found.map((line) => line.length))).toBeLessThanOrEqual(columns);
    expect(words(found, wide.name.slice(0, 11)).at(-1)).toBe('80 %');
  });
});
