import { expect, it } from 'vitest';
import type { GateMode } from '../domain/gate-mode.ts';
import { runChecks } from './check.ts';
import { harmCheck } from './harm.ts';

it.each<[number, number, GateMode, string, RegExp]>([
  [3_600_000, 60_000, 'auto', 'ok', /^remembered for 60 min: more work .*, nothing for 60 s from the second time/],
  [3_600_000, 60_000, 'off', 'ok', /^remembered for 60 min: nothing for 60 s/],
  [3_600_000, 0, 'auto', 'ok', /^remembered for 60 min: more work to prove each time$/],
  [3_600_000, 0, 'off', 'warning', /comes again at once/],
  [0, 60_000, 'auto', 'warning', /comes again at once/],
])('judges %i ms with pauses from %i ms and the gate %s', async (rememberedMs, pauseMs, mode, verdict, seen) => {
  const check = harmCheck({ harm: { rememberedMs, pauseMs }, gate: { mode, maxNumber: 100_000 } });
  const [diagnosis] = await runChecks([check]);
  expect([diagnosis?.verdict, diagnosis?.seen]).toEqual([verdict, expect.stringMatching(seen)]);
});
