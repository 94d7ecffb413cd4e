import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Releasers } from '../../src/lifecycle/releasers.ts';
import { silent } from '../support/store.ts';
import { judge, stage, type DrillOptions, type Outcome } from './outage-drill.ts';
import { SCENARIOS } from './outage-scenarios.ts';
import { outageTable } from './outage-table.ts';
import { startWorld, type World } from './outage-world.ts';

const DRILL: DrillOptions = {
  crowd: { arrivalsPerSecond: 5, stayMs: 2_000, template: 'tiny', webSocketPath: '/ws' },
  residents: 5, beforeMs: 1_000, outageMs: 3_000, patienceMs: 60_000,
};
const CHOSEN = ['nats stopped', 'nats emptied', 'valkey stopped', 'valkey hung', 'caddy killed', 'discovery killed', 'api killed'];

describe('outages under load', () => {
  const releasers = new Releasers();
  const outcomes: Outcome[] = [];
  let world: World;

  beforeAll(async () => {
    world = await startWorld({ engine: 'simulated', app: {}, target: 40, max: 200, workers: 8, databases: false, portRange: [28_600, 28_899] }, releasers);
  });
  afterAll(async () => {
    await releasers.releaseAll(silent);
    process.stdout.write(`${outageTable(outcomes)}\n`);
  });

  it.each(SCENARIOS.filter(({ part, kind }) => CHOSEN.includes(`${part} ${kind}`)).map((scenario) => [`${scenario.part} ${scenario.kind}`, scenario] as const))('%s', async (_name, scenario) => {
    const outcome = await stage(world, scenario, DRILL);
    outcomes.push(outcome);
    expect(judge(outcome), [...outcome.seconds, world.serverLog()].join('\n')).toEqual([]);
  });
});
