/**
 * `npm run fleet-sim [-- --docs] [-- --json FILE] [-- --steps 1x1000,50x20000]`: one deployment that grows to
 * fifty simulated nodes and 20,000 instances, beside one of a single node with 1,000, and a table of what that costs.
 * `--docs` writes it into docs/scale.md, `--json` what it was made from into a file. `--who-asks` measures nothing of
 * that: it tells who asks Valkey what while nobody comes.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { cpus, release } from 'node:os';
import { parseArgs } from 'node:util';
import { sleep } from '../../src/lifecycle/sleep.ts';
import { replaceBetween } from '../support/page-part.ts';
import { claimPorts } from '../support/port-ranges.ts';
import { measureStep, type StepResult } from './measure.ts';
import { bottlenecks, costTable, stepTable } from './tables.ts';
import { SimulatedFleet, TEMPLATES, portsFor } from './simulated-fleet.ts';
import { questionTable, whoAsks } from './who-asks.ts';

const PAGE = new URL('../../docs/scale.md', import.meta.url);
const AMOUNTS = { rounds: 10, burst: 80, atOnce: 150, restMs: 31_000 };
/** What a fill leaves to be done, such as ports that cool down. */
const SETTLING_MS = 20_000;
/** Of the first node's room: for those handed out, and those on their way out. */
const SPARE = 400;
/** Of a node's room, so that none is quite full. */
const SLACK = 1.1;

const say = (line: string): void => {
  process.stdout.write(`${Math.round(performance.now() / 1_000)} s: ${line}\n`);
};

const { values } = parseArgs({
  options: {
    docs: { type: 'boolean', default: false },
    json: { type: 'string' },
    steps: { type: 'string', default: '1x1000,50x20000' },
    'who-asks': { type: 'boolean', default: false },
  },
});
const steps = values.steps.split(',').map((step) => {
  const [nodes = NaN, instances = NaN] = step.split('x').map(Number);
  if (!(nodes > 0 && instances > 0 && instances % TEMPLATES.length === 0))
    throw new Error(
      `${step} is not nodes x instances, such as 10x5000, with instances a multiple of ${TEMPLATES.length}`,
    );
  return { nodes, instances };
});
const [smallest, largest] = [steps[0], steps.at(-1)];
if (smallest === undefined || largest === undefined) throw new Error('there is no step');
if (smallest.instances < AMOUNTS.atOnce * TEMPLATES.length)
  throw new Error(`${smallest.instances} instances are too few for ${AMOUNTS.atOnce} clicks at once at one template`);
/** Of each further node: what is left after the first ones keep theirs. */
const shares = steps
  .filter(({ nodes }) => nodes > smallest.nodes)
  .map(({ nodes, instances }) => (instances - smallest.instances) / (nodes - smallest.nodes));
const room = {
  first: Math.ceil(smallest.instances / smallest.nodes + SPARE),
  further: Math.ceil(Math.max(0, ...shares) * SLACK + SPARE / 4),
};

const ended = new Promise<never>((_, reject) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => reject(new Error(`ended by ${signal}; what was measured so far is kept`)));
});
// While the parts are started nobody waits for it yet.
ended.catch(() => undefined);

const results: StepResult[] = [];
if (values['who-asks']) {
  await using ports = await claimPorts(portsFor(Math.max(room.first, room.further)));
  await using fleet = await SimulatedFleet.start({
    ...{ room, firstPort: ports.start, network: 2, instances: largest.instances },
  });
  const look = async (): Promise<void> => {
    for (const { nodes, instances } of steps) {
      await fleet.grow(nodes);
      await fleet.fill(instances);
      say(`${nodes} nodes and ${instances} instances; nobody comes for a while …`);
      await sleep(SETTLING_MS);
      say(`\n${questionTable(await whoAsks(fleet, AMOUNTS.restMs), nodes)}\n`);
    }
  };
  await Promise.race([look(), ended]);
} else {
  await using ports = await claimPorts(portsFor(Math.max(room.first, room.further)));
  const common = { room, firstPort: ports.start };
  say(`Starting two deployments, one of ${smallest.nodes} node and one that grows …`);
  await using single = await SimulatedFleet.start({ ...common, network: 1, instances: smallest.instances });
  await using fleet = await SimulatedFleet.start({ ...common, network: 2, instances: largest.instances });
  const grow = async (): Promise<void> => {
    await single.grow(smallest.nodes);
    await single.fill(smallest.instances);
    for (const { nodes, instances } of steps) {
      say(`Growing to ${nodes} nodes and ${instances} instances …`);
      await fleet.grow(nodes);
      const targets = { fleet: instances, single: smallest.instances };
      results.push(await measureStep({ fleet, single }, targets, { ...AMOUNTS, say }));
      await keep(results);
    }
  };
  await Promise.race([grow(), ended]);
}
if (!values['who-asks']) say(`\n${tables(results)}`);

function tables(all: readonly StepResult[]): string {
  return `${stepTable(all)}\n\n${costTable(all)}\n\n${bottlenecks(all)}`;
}

/** After each step: who ends the run, or meets an error, has the others. */
async function keep(all: readonly StepResult[]): Promise<void> {
  if (values.docs) await writeFile(PAGE, replaceBetween(await readFile(PAGE, 'utf8'), 'fleet-sim', tables(all)));
  if (values.json === undefined) return;
  const machine = { cores: cpus().length, cpu: cpus()[0]?.model, kernel: release(), node: process.version };
  await writeFile(values.json, `${JSON.stringify({ at: new Date().toISOString(), machine, results: all }, null, 2)}\n`);
}
