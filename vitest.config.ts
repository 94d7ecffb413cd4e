import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.ts';

const NEEDS_SERVERS = 'src/**/*.integration.test.ts';

export default defineConfig({
  test: {
    // Two cores and real servers: more files at once only make them wait for each other.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    testTimeout: 120_000,
    hookTimeout: 120_000,
    retry: 0,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts'],
          exclude: [NEEDS_SERVERS],
          // What is pure leaves nothing behind for the next file, which so finds every module loaded.
          isolate: false,
        },
      },
      { extends: true, test: { name: 'system', include: [NEEDS_SERVERS, 'test/**/*.test.ts'], isolate: false } },
    ],
  },
});
