import type { Static } from 'typebox';
import type { NodeBody, NodesBody } from '../../http/admin/node-schemas.ts';
import type { PoolBody, PoolsBody, QueueBody } from '../../http/admin/schemas.ts';
import { truncate, distance, stripControlCharacters } from '../operate/text.ts';
import { plainTable } from '../output.ts';
import { increase, quantile, sumOf, type Samples } from './samples.ts';

export interface Snapshot {
  readonly atMs: number;
  readonly pools: Static<typeof PoolsBody>['pools'];
  readonly nodes: Static<typeof NodesBody>['nodes'];
  readonly queue: Static<typeof QueueBody>;
  readonly samples: Samples;
}

export interface View {
  readonly url: string;
  /** What rates are counted from; undefined at the first look. */
  readonly before: Snapshot | undefined;
  readonly now: Snapshot | undefined;
  /** Why there is nothing newer, and since when. */
  readonly trouble: { readonly sinceMs: number; readonly why: string } | undefined;
  readonly intervalMs: number;
}

/** From here on there is room for how long instances take to start. */
const WIDE = 110;
const NAME_WIDTH = 12;

/** What is to be seen, in lines no longer than `columns`, at most `rows` of them. */
export function frame(scene: View, columns: number, rows: number): readonly string[] {
  const { now, trouble } = scene;
  const lines = [
    heading(scene),
    ...(trouble === undefined ? [] : [`The server does not answer since ${clock(trouble.sinceMs)}: ${trouble.why}`]),
    '',
  ];
  if (now !== undefined)
    lines.push(
      ...[...pools(scene, now, columns), '', ...nodes(now, columns)],
      ...[...queue(now), '', processLine(scene, now)],
    );
  else if (trouble === undefined) lines.push('Reading …');
  const fitting = lines.map((line) => truncate(stripControlCharacters(line), columns));
  return fitting.length <= rows
    ? fitting
    : [
        ...fitting.slice(0, rows - 1),
        truncate(`… ${fitting.length - rows + 1} more lines; make the window higher`, columns),
      ];
}

function heading({ url, now, intervalMs }: View): string {
  return (
    `Try It Now at ${url}${now === undefined ? '' : `, ${clock(now.atMs)} UTC`}, every ${intervalMs / 1_000} ` +
    's. q quits.'
  );
}

function clock(ms: number): string {
  return new Date(ms).toISOString().slice(11, 19);
}

function pools({ before }: View, now: Snapshot, columns: number): string[] {
  const wide = columns >= WIDE;
  const table = plainTable([
    'TEMPLATE',
    'MODE',
    'READY',
    'OUT',
    'START',
    'LEAVE',
    'WAIT',
    'MAX',
    'TAKES/S',
    'P50',
    'P99',
    ...(wide ? ['STARTS/MIN', 'START P50', 'START P99', 'RELEASES/MIN'] : []),
  ]);
  for (const pool of now.pools) {
    const { template, mode, ready, assigned, warming, leaving, waiting, target, capacity, breaker } = pool;
    const name = truncate(template, wide ? 3 * NAME_WIDTH : NAME_WIDTH);
    table.push([
      name,
      breaker.open && mode === 'open' ? 'failing' : mode,
      `${ready}/${target}`,
      assigned,
      warming,
      leaving,
      waiting,
      capacity,
      ...claims(before, now, template),
      ...(wide ? starts(before, now, template) : []),
    ]);
  }
  return [...linesOf(table), ...now.pools.flatMap(remark)];
}

/** One host is told of by the other tables. */
function nodes({ nodes: all }: Snapshot, columns: number): string[] {
  if (all.length < 2) return [];
  const table = plainTable(['NODE', 'STATE', 'READY', 'OUT', 'START', 'LEAVE', 'ROOM', 'MEM FREE', 'DISK FREE']);
  for (const node of all) {
    const { name, state, alive, instances, memory, disk } = node;
    const { ready, assigned, warming, leaving } = instances;
    table.push([
      truncate(name, columns >= WIDE ? 3 * NAME_WIDTH : NAME_WIDTH),
      alive ? state : 'silent',
      ready,
      assigned,
      warming,
      leaving,
      ...(alive ? [room(node), freeShare(memory), freeShare(disk)] : ['-', '-', '-']),
    ]);
  }
  const avoided = all.filter(
    (node) =>
      node.alive && node.state === 'active' && node.avoided.some(({ last_resort: isTried }) => isTried !== true),
  );
  const named = avoided.map(({ name }) => name).join(', ');
  const remarks = named === '' ? [] : [`Some templates are not made on ${named} (\`try-it-now nodes list\`)`];
  return [...linesOf(table), ...remarks, ''];
}

/** How many more it could hold. */
function room({ capacity, ports_free: ports, instances }: Static<typeof NodeBody>): number {
  const held = Object.values(instances).reduce((sum, count) => sum + count, 0);
  return Math.max(0, Math.min(ports, (capacity ?? Infinity) - held));
}

function freeShare(of: Static<typeof NodeBody>['memory']): string {
  return of === null || of.total === 0 ? '-' : `${Math.round((100 * of.available) / of.total)} %`;
}

function linesOf(table: ReturnType<typeof plainTable>): string[] {
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd());
}

function claims(before: Snapshot | undefined, now: Snapshot, template: string): string[] {
  if (before === undefined) return ['-', '-', '-'];
  const taken = increase(before.samples, now.samples, 'try_it_now_takes_total', { template, outcome: 'taken' });
  const latency = (q: number): string =>
    seconds(quantile(before.samples, now.samples, 'try_it_now_take_duration_seconds', { template }, q));
  return [rate(taken, before, now, 1_000), latency(0.5), latency(0.99)];
}

function starts(before: Snapshot | undefined, now: Snapshot, template: string): string[] {
  if (before === undefined) return ['-', '-', '-', '-'];
  const started = increase(before.samples, now.samples, 'try_it_now_provisions_total', { template, status: 'success' });
  const latency = (q: number): string =>
    seconds(quantile(before.samples, now.samples, 'try_it_now_provision_duration_seconds', { template }, q));
  return [
    rate(started, before, now, 60_000),
    latency(0.5),
    latency(0.99),
    rate(increase(before.samples, now.samples, 'try_it_now_releases_total', { template }), before, now, 60_000),
  ];
}

function rate(count: number, before: Snapshot, now: Snapshot, perMs: number): string {
  const value = (count * perMs) / Math.max(1, now.atMs - before.atMs);
  return value === 0 ? '0' : value.toFixed(value < 10 ? 1 : 0);
}

function seconds(value: number | undefined): string {
  if (value === undefined) return '-';
  return value < 1 ? `${(value * 1_000).toFixed(value < 0.01 ? 1 : 0)}ms` : `${value.toFixed(1)}s`;
}

function remark({
  template,
  mode,
  since,
  deadline,
  reason,
  breaker,
  size,
  operator_target: wished,
}: Static<typeof PoolBody>): string[] {
  const remarks: string[] = [];
  if (mode !== 'open') {
    const forHowLong = since === null ? '' : ` for ${distance(since)}`;
    const untilWhen = deadline === null ? '' : `, until ${deadline.slice(11, 19)}`;
    remarks.push(`${template} is ${mode}${forHowLong}${untilWhen}${reason === null ? '' : `: ${reason}`}`);
  }
  if (size !== null && wished === null) remarks.push(`${template} sizes itself: ${size.why}`);
  if (breaker.open)
    remarks.push(
      `${template} failed ${breaker.failures} times in a row, next try in ${breaker.retry_in_seconds} s: ` +
        `\`try-it-now doctor\` tells why`,
    );
  return remarks;
}

function queue({ queue: { stream, consumers, dead } }: Snapshot): string[] {
  const table = plainTable(['QUEUE', 'WAITING', 'IN FLIGHT', 'REDELIVERED', 'REQUESTS WAITING']);
  for (const { name, pending, in_flight: inFlight, redelivered, waiting_pulls: asking } of consumers)
    table.push([name, pending, inFlight, redelivered, asking]);
  const oldest = stream.oldest_at === null ? '' : `, the oldest ${distance(stream.oldest_at)}`;
  return [
    ...linesOf(table),
    `${stream.messages} tasks${oldest}; ${dead.messages} dead${dead.messages > 0 ? ' (`try-it-now queue dead`)' : ''}`,
  ];
}

function processLine({ before }: View, { atMs, samples }: Snapshot): string {
  const of = (name: string): number => sumOf(samples, name) ?? 0;
  const cpuShare = ({ samples: earlier, atMs: earlierMs }: Snapshot): number =>
    (1_000 * increase(earlier, samples, 'process_cpu_seconds_total')) / Math.max(1, atMs - earlierMs);
  const cpu = before === undefined ? '-' : `${Math.round(100 * cpuShare(before))} %`;
  const requests =
    before === undefined
      ? '-'
      : String(
          Math.round(
            (1_000 * increase(before.samples, samples, 'try_it_now_http_request_duration_seconds_count')) /
              Math.max(1, atMs - before.atMs),
          ),
        );
  return (
    `Server: ${Math.round(of('process_resident_memory_bytes') / 2 ** 20)} MiB, CPU ${cpu}, ` +
    `${of('process_open_fds')} of ${of('process_max_fds')} files open, ${requests} requests/s`
  );
}
