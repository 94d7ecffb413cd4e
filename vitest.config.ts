import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.ts';

const NEEDS_SERVERS = 'src/**/*.integration.test.ts';
/** What each engine and database promises, and an operator's day with each part in trouble. CI runs them as well. */
const PARTS = ['test/contract/**/*.test.ts', 'test/drills/**/*.test.ts'];
/** Each drives a whole deployment through minutes of work or trouble. CI runs them at night. */
const LONG = 'test/long/**/*.test.ts';

export default defineConfig({
  test: {
    // Most files wait for real servers half of the time, so two cores serve four of them.
    maxWorkers: 4,
    sequence: { sequencer: LongestFirst },
    // Several times the patience of a test with any of its steps: what fails shall fail with what it waited for.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    retry: 0,
    // No file leaves anything behind for the next one, which so finds every module loaded.
    isolate: false,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts'],
          exclude: [NEEDS_SERVERS],
        },
      },
      {
        extends: true,
        test: { name: 'system', include: [NEEDS_SERVERS, 'test/**/*.test.ts'], exclude: [...PARTS, LONG] },
      },
      { extends: true, test: { name: 'parts', include: PARTS } },
      { extends: true, test: { name: 'long', include: [LONG] } },
    ],
  },
});
