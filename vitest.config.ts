import { configDefaults, defineConfig } from 'vitest/config';

/** Long by nature, so only on request: see `npm run crash-rounds`. */
const onRequest = process.env['CRASH_ROUNDS'] === undefined ? ['test/drills/crash-random.test.ts'] : [];
if (onRequest.length > 0) process.stderr.write(`Left out, since CRASH_ROUNDS is not set: ${onRequest.join(', ')}; \`npm run crash-rounds\` runs it\n`);


export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, ...onRequest],
    // Two cores and real servers: more files at once only make them wait for each other.
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    retry: 0,
  },
});
