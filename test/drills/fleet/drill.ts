import { describeError } from '../../../src/domain/errors.ts';
import { startFleet, REPLICATED } from '../../fleet/fleet.ts';
import { Client } from './client.ts';
import { Crowd } from './crowd.ts';
import type { Fault } from './faults.ts';
import { RecordedState } from './recorded-state.ts';
import { play, type Outcome } from './stage.ts';
import { faultTable } from './table.ts';
import { Watch } from './watch.ts';

export interface DrillOptions {
  readonly faults: readonly Fault[];
  /** No fault begins after so long. */
  readonly withinMs: number;
  /** Ends it early, and cleanly. */
  readonly signal: AbortSignal;
  /** Whether what the parts said last is told after a fault with problems. */
  readonly verbose: boolean;
  readonly say: (line: string) => void;
  /** After each fault, with all so far. */
  readonly onOutcomes: (outcomes: readonly Outcome[]) => Promise<void>;
}

const TEMPLATE = 'app';
const TARGET = 9;
const MAX = 45;
/** Of a host: two of them hold what there may be. */
const CAPACITY = 23;
const VISITORS_PER_SECOND = 2;

/** Plays the faults one after the other on one fleet. */
export async function drill(options: DrillOptions): Promise<readonly Outcome[]> {
  const { faults, signal, withinMs, verbose, say, onOutcomes } = options;
  const startedMs = performance.now();
  say('Starting three hosts with every part …');
  const content = {
    app: 'page',
    // All hosts see the memory of this machine: without it, placement would go by that alone.
    env: { NODE_CAPACITY: String(CAPACITY) },
    templates: [{ name: TEMPLATE, title: 'App', description: 'A page.', pool: { target: TARGET, max: MAX } }],
  } as const;
  await using fleet = await startFleet(content, REPLICATED);
  if (fleet.balancer === undefined) throw new Error('this fleet has a load balancer');
  using state = new RecordedState(fleet.hosts.map(({ machine }) => machine.address));
  await using watch = new Watch(state);
  await using client = new Client(fleet.balancer, fleet.proxies);
  await using crowd = new Crowd(client, TEMPLATE);
  const scene = {
    fleet,
    state,
    watch,
    client,
    crowd,
    signal,
    template: TEMPLATE,
    target: TARGET,
    visitorsPerSecond: VISITORS_PER_SECOND,
  };
  const outcomes: Outcome[] = [];
  for (const fault of faults) {
    if (signal.aborted || performance.now() - startedMs > withinMs) break;
    say(`${fault.name} …`);
    try {
      const outcome = await play(scene, fault);
      outcomes.push(outcome);
      say(faultTable([outcome]).split('\n').at(-1) ?? '');
      if (verbose && outcome.problems.length > 0) for (const host of fleet.hosts) say(host.tails(40));
    } catch (error) {
      // Those that follow may still be worth it.
      say(`${fault.name} could not be played: ${describeError(error)}`);
      if (verbose) for (const host of fleet.hosts) say(host.tails(40));
    }
    await onOutcomes(outcomes);
  }
  return outcomes;
}
