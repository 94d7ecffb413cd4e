import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Outcome } from '../drills/outage-drill.ts';
import { SCENARIOS } from '../drills/outage-scenarios.ts';
import { outageTable } from '../drills/outage-table.ts';
import { openStage, type Stage } from '../drills/outage-worlds.ts';

/** Those that matter most, shortly; `npm run outages` stages all of them at length. */
const CHOSEN = [
  'nats hung',
  'nats emptied',
  'valkey stopped',
  'valkey hung',
  'caddy killed',
  'discovery killed',
  'api killed',
];

describe('outages under load', () => {
  const outcomes: Outcome[] = [];
  let staged: Stage;

  beforeAll(async () => {
    staged = await openStage(
      'simulated',
      { beforeMs: 1_000, outageMs: 3_000, patienceMs: 45_000 },
      // What a killed server had in hand comes again that much later.
      { databases: false, env: { QUEUE_ACK_WAIT: '5s' } },
    );
  });
  afterAll(async () => {
    await staged[Symbol.asyncDispose]();
    process.stdout.write(`${outageTable(outcomes)}\n`);
  });

  it.each(CHOSEN)('%s', async (name) => {
    const scenario = SCENARIOS.find(({ part, kind }) => `${part} ${kind}` === name);
    if (scenario === undefined) throw new Error(`there is no scenario "${name}"`);
    const { outcome, problems } = await staged.play(scenario);
    outcomes.push(outcome);
    expect(problems, [...outcome.seconds, staged.world.serverLog()].join('\n')).toEqual([]);
  });
});
