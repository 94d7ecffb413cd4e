import { expect, it } from 'vitest';
import { ENGINE_PATIENCE, SIMULATED_ENGINE_PATIENCE_MS } from './engine-patience.ts';

// The tests of an engine that hangs shorten them, so what they are without it is held here.
it('gives up on an engine that hangs after a minute, and on a look after 25 seconds', () => {
  expect(ENGINE_PATIENCE).toEqual({ callMs: 60_000, lookMs: 25_000 });
  expect(SIMULATED_ENGINE_PATIENCE_MS).toBe(15_000);
});
