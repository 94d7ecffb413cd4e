import { describe, expect, it } from 'vitest';
import type { ImageSnapshot } from '../pool/operate-images.ts';
import { Shared, runChecks } from './check.ts';
import { imageChecks } from './images.ts';

const NOW_MS = Date.parse('2026-01-02T03:04:05Z');
const DAY_MS = 24 * 3_600_000;
const sound: ImageSnapshot = {
  name: 'registry.example.org/shop:1',
  templates: ['shop'],
  checks: [{ kind: 'manual' }],
  state: 'current',
  pin: { v: 1, id: 'sha256:01', digest: 'sha256:d1', node: 'node0' },
  nextCheckMs: undefined,
  obstacle: undefined,
  tried: undefined,
  refused: undefined,
  former: undefined,
  checked: { v: 1, atMs: NOW_MS },
  held: undefined,
  asked: undefined,
};
const diagnosed = async (overrides: Partial<ImageSnapshot>) => {
  const state = { images: [{ ...sound, ...overrides }], nowMs: NOW_MS };
  return runChecks(imageChecks(true, new Shared(() => Promise.resolve(state), 'Valkey cannot be used')));
};

describe('new images', () => {
  it.each<[Partial<ImageSnapshot>, string, RegExp]>([
    [{}, 'ok', /visitors get sha256:d1/],
    [{ tried: { v: 1, node: 'node0', step: 'fetching it', sinceMs: NOW_MS } }, 'ok', /on its way: fetching it/],
    [
      { refused: { v: 1, id: 'sha256:02', why: 'failed', reason: 'it ends at once', node: 'node0', atMs: NOW_MS } },
      'failure',
      /refused and reaches nobody: it ends at once/,
    ],
    [
      { refused: { v: 1, id: 'sha256:02', why: 'rolled_back', reason: 'somebody', node: 'node0', atMs: NOW_MS } },
      'ok',
      /visitors get/,
    ],
    [{ held: { v: 1, atMs: NOW_MS - 14 * DAY_MS, reason: 'a launch' } }, 'ok', /held by an operator: a launch$/],
    [{ held: { v: 1, atMs: NOW_MS - 14 * DAY_MS - 1 } }, 'warning', /more than two weeks/],
    [
      { checked: { v: 1, atMs: NOW_MS, problem: { reason: 'connection refused', sinceMs: NOW_MS } } },
      'warning',
      /nobody can say .*connection refused/,
    ],
    [
      { checked: { v: 1, atMs: NOW_MS, problem: { reason: 'no database', sinceMs: NOW_MS, untried: true } } },
      'warning',
      /a new one could not be tried so far: no database/,
    ],
    [{ obstacle: 'node-b: it is cordoned' }, 'warning', /no host looks for new ones, .*: node-b: it is cordoned/],
    [{ pin: undefined, state: 'unknown' }, 'warning', /no server has had it/],
  ])('%j: %s', async (overrides, verdict, seen) => {
    expect(await diagnosed(overrides)).toEqual([
      expect.objectContaining({
        ...{ part: 'Images', what: sound.name, verdict },
        seen: expect.stringMatching(seen) as string,
        ...(verdict === 'ok' ? {} : { remedy: expect.stringMatching(/\S/) as string }),
      }),
    ]);
  });

  it('are nothing to look at where no template has them tried', async () => {
    expect(await diagnosed({ state: 'unchecked', checks: [] })).toEqual([]);
    expect(imageChecks(false, new Shared(() => Promise.reject(new Error('not asked for')), ''))).toEqual([]);
  });
});
