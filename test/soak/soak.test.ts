import { expect, it } from 'vitest';
import { list, soak } from './soak.ts';

/** Too short to judge memory by: what it looks at is the books, descriptors and keys. `npm run soak` is the long form. */
const SEED = Number(process.env['SOAK_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

it(`a short soak with random kills ends with balanced books and nothing left open (SOAK_SEED=${SEED})`, { timeout: 240_000 }, async () => {
  const lines: string[] = [];
  const { counts, blows, wrongs } = await soak({
    durationMs: 18_000, arrivalsPerSecond: 5, sampleEveryMs: 2_000, killEveryMs: 1_500, target: 10, portRange: [25_000, 25_299], seed: SEED,
    signal: new AbortController().signal, say: (line) => { lines.push(line); },
  });
  expect(wrongs, [...lines, list(counts), list(blows)].join('\n')).toEqual([]);
  expect(counts.get('taken')).toBeGreaterThan(20);
  expect(counts.get('opened')).toBeGreaterThan(20);
  expect([...blows.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThan(3);
});
