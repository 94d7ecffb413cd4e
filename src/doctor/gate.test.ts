import { expect, it } from 'vitest';
import { Metrics } from '../telemetry/metrics.ts';
import type { GateReason } from '../domain/gate-mode.ts';
import { runChecks } from './check.ts';
import { gateCheck } from './gate.ts';

async function scraped(reason: GateReason | undefined): Promise<string> {
  const metrics = new Metrics({ templates: ['tiny', 'other'], version: 'test' });
  metrics.gate('tiny', reason);
  metrics.gate('other', undefined);
  return metrics.text();
}

it.each<[string, Parameters<typeof gateCheck>[0]['gate'], Promise<string | undefined>, string, RegExp]>([
  [
    'a calm pool',
    { mode: 'auto', maxNumber: 100_000 },
    scraped(undefined),
    'ok',
    /^asked for when needed, and not now; 50000 hashes/,
  ],
  ['a pool in demand', { mode: 'auto', maxNumber: 100_000 }, scraped('stock'), 'ok', /^asked for now: tiny \(stock\);/],
  ['a server that is down', { mode: 'auto', maxNumber: 100_000 }, Promise.resolve(undefined), 'ok', /does not say/],
  ['always', { mode: 'on', maxNumber: 100_000 }, scraped('always'), 'ok', /^always asked for;/],
  ['more than a phone can', { mode: 'on', maxNumber: 2_000_001 }, scraped('always'), 'warning', /1000001 hashes/],
  ['never', { mode: 'off', maxNumber: 100_000 }, scraped(undefined), 'ok', /^never asked for/],
])('judges %s', async (_, gate, metrics, verdict, seen) => {
  const [diagnosis] = await runChecks([gateCheck({ gate }, () => metrics)]);
  expect(diagnosis?.verdict).toBe(verdict);
  expect(diagnosis?.seen).toMatch(seen);
});
