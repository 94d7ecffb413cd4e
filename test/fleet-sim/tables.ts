import { PARTS, type StepResult } from './measure.ts';
import type { Part } from './simulated-fleet.ts';

const MEBIBYTE = 1024 * 1024;
/** Of a latency of one node with 1,000 instances in the same run: the goal. */
const GOAL = 1.5;
/** What does not become more when nodes are added. */
const SHARED = ['Valkey', 'NATS', 'server', 'discovery', 'Caddy'] as const satisfies Part[];
/** Of the parts that are more than one process, which share the work. */
const PROCESSES: Partial<Record<Part, number>> = { NATS: 3 };

/** For what a part needed with visitors, where it used as much at rest: the machine had no more to give. */
const UNSEEN = '–';

/** In Markdown: a column a step. */
export function stepTable(results: readonly StepResult[]): string {
  return table(results, [
    ['acquire p50, ms (one node beside it)', ({ acquire }) => beside(acquire, ({ p50Ms }) => fixed(p50Ms, 2))],
    ['acquire p99, ms (one node beside it)', ({ acquire }) => beside(acquire, ({ p99Ms }) => fixed(p99Ms, 2))],
    [
      `p99 against one node, goal ≤ ${GOAL}`,
      ({ acquire: { fleet, single } }) => `${fixed(fleet.p99Ms / single.p99Ms, 2)} ×`,
    ],
    [
      'acquires a second, 64 connections (one node beside it)',
      ({ acquirePerSecond }) => beside(acquirePerSecond, (rate) => whole(rate)),
    ],
    ['refill, instances a second', ({ refill }) => whole(refill.perSecond)],
    ['drift looked for by a server, s', ({ reconcileMs }) => fixed(reconcileMs.server / 1_000, 2)],
    ['drift looked for by a node, s', ({ reconcileMs }) => fixed(reconcileMs.node / 1_000, 2)],
    ['at rest: commands a second in Valkey', ({ atRest }) => whole(atRest.valkeyCommandsPerSecond)],
    ...SHARED.map((part): Row => [
      `at rest: ${part}, % of a processor`,
      ({ atRest }) => percent(atRest.processors[part]),
    ]),
    [
      'at rest: one node, % of a processor',
      ({ atRest, nodes }) => percent((atRest.processors.worker + atRest.processors.engine) / nodes),
    ],
    ['at rest: one node and Valkey, kB/s', ({ atRest }) => fixed(atRest.bytesPerSecond.valkey / 1_000, 1)],
    ['at rest: one node and NATS, kB/s', ({ atRest }) => fixed(atRest.bytesPerSecond.nats / 1_000, 1)],
    ...SHARED.map((part): Row => [`memory of ${part}, MiB`, ({ memoryBytes }) => mebibytes(memoryBytes[part])]),
    ['memory of one worker, MiB', ({ memoryBytes, nodes }) => mebibytes(memoryBytes.worker / nodes)],
  ]);
}

/** What one instance more costs, and where that ends. */
export function costTable(results: readonly StepResult[]): string {
  return table(results, [
    ...PARTS.map((part): Row => [
      `refill: ${part}, ms of a processor each`,
      ({ refill }) => fixed(refill.processorMs[part], 2),
    ]),
    ...PARTS.map((part): Row => [
      `acquire, release, cleanup, refill: ${part}, ms each`,
      ({ cycleMs }) => (cycleMs[part] > 0 ? fixed(cycleMs[part], 2) : UNSEEN),
    ]),
  ]);
}

/** From the smallest step to the largest. */
export function bottlenecks(results: readonly StepResult[]): string {
  const [first, last] = [results[0], results.at(-1)];
  if (first === undefined || last === undefined || last.instances === first.instances) return '';
  const more = last.instances - first.instances;
  // A process may give back more meanwhile than they take.
  const memory = (part: Part) => kilobytes(Math.max(0, last.memoryBytes[part] - first.memoryBytes[part]) / more);
  const lines = [
    `An instance more takes ${kilobytes((last.valkeyBytes - first.valkeyBytes) / more)} of Valkey's data, and ` +
      `${memory('server')} of memory in the server, ${memory('discovery')} in discovery, ${memory('NATS')} in the ` +
      'three NATS together.',
    `With ${last.nodes} nodes, ${whole(last.instances)} instances and a processor for each process (the three NATS ` +
      'included), so many visits begun and ended a second would use each part up; the first one saturates first:',
    '',
    ...SHARED.filter((part) => last.cycleMs[part] > 0)
      .sort((a, b) => ceiling(last, a) - ceiling(last, b))
      .map((part) => `- ${part}: ${whole(ceiling(last, part))}`),
    ...SHARED.filter((part) => last.cycleMs[part] === 0).map(
      (part) => `- ${part}: not known, it used no more with these visitors than at rest`,
    ),
  ];
  return lines.join('\n');
}

/** What is left of the part's processors beside what it does at rest, in visits. */
function ceiling({ atRest, cycleMs }: StepResult, part: Part): number {
  return (((PROCESSES[part] ?? 1) - atRest.processors[part]) * 1_000) / cycleMs[part];
}

type Row = readonly [name: string, value: (result: StepResult) => string];

function table(results: readonly StepResult[], rows: readonly Row[]): string {
  const head = [
    '',
    ...results.map(({ nodes, instances }) => `${nodes} × ${whole(instances / nodes)} = ${whole(instances)}`),
  ];
  return [head, head.map(() => '---'), ...rows.map(([name, value]) => [name, ...results.map(value)])]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n');
}

function beside<T>({ fleet, single }: { readonly fleet: T; readonly single: T }, tell: (of: T) => string): string {
  return `${tell(fleet)} (${tell(single)})`;
}

function fixed(value: number, digits: number): string {
  return value.toFixed(digits);
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function percent(share: number): string {
  return `${fixed(share * 100, 1)} %`;
}

function mebibytes(bytes: number): string {
  return whole(bytes / MEBIBYTE);
}

function kilobytes(bytes: number): string {
  return `${fixed(bytes / 1_000, 1)} kB`;
}
