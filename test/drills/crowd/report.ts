import { ATTACKS, RIGHT_REFUSALS } from './attacks.ts';
import type { HostSample } from './host.ts';
import type { Page } from './honest.ts';
import type { AttackVisit } from './hostile.ts';
import type { Asked } from './visitor.ts';

/** All that was seen of one phase. */
export interface Phase {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Seen {
  readonly quiet: Phase;
  readonly crowd: Phase;
  readonly acquires: readonly Asked[];
  readonly pages: readonly Page[];
  readonly burnerAcquires: readonly Asked[];
  readonly attackerAcquires: readonly Asked[];
  readonly visits: readonly AttackVisit[];
  readonly host: readonly HostSample[];
  /** In words. */
  readonly left: readonly string[];
}

const LEAST_SHARE = 0.99;
const MOST_TIMES = 2;
/** Answers that fast are told apart by chance alone. */
const LEAST_MS = 5;
const GIB = 2 ** 30;

interface Times {
  readonly count: number;
  readonly okShare: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

function timesOf(asked: readonly Asked[]): Times {
  const good = asked.filter(({ outcome }) => outcome === 'ok');
  const sorted = good.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  return {
    count: asked.length,
    okShare: asked.length === 0 ? 1 : good.length / asked.length,
    p50: at(0.5),
    p95: at(0.95),
    p99: at(0.99),
  };
}

function during<T extends { readonly atMs: number }>(all: readonly T[], { fromMs, toMs }: Phase): T[] {
  return all.filter(({ atMs }) => atMs >= fromMs && atMs < toMs);
}

function counted(all: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const one of all) counts.set(one, (counts.get(one) ?? 0) + 1);
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([what, count]) => `${count} ${what}`)
    .join(', ');
}

type Row = readonly [name: string, all: readonly Asked[]];

function rows({ acquires, pages }: Pick<Seen, 'acquires' | 'pages'>): readonly Row[] {
  return [
    ['acquires', acquires],
    ['pages', pages.filter(({ kind }) => kind === 'plain')],
    ['pages with database', pages.filter(({ kind }) => kind === 'database')],
  ];
}

/** One line of what honest visitors met in that time, and how the host did. */
export function lineOf(seen: Omit<Seen, 'quiet' | 'crowd' | 'left'>, phase: Phase): string {
  const parts = rows(seen).map(([name, all]) => {
    const asked = during(all, phase);
    const { p50, p95 } = timesOf(asked);
    return `${name}: ${counted(asked.map(({ outcome }) => outcome)) || 'none'}, p50 ${ms(p50)} p95 ${ms(p95)}`;
  });
  const ended = seen.visits.filter(({ beganAtMs, afterMs }) => {
    const atMs = beganAtMs + afterMs;
    return atMs >= phase.fromMs && atMs < phase.toMs;
  });
  const { busy, memory, disk, load } = hostIn(seen.host, phase);
  return [
    ...parts,
    `attacks over: ${counted(ended.map((visit) => visit.ended)) || 'none'}`,
    `host: processors ${busy} %, load ${load}, at least ${memory} GiB of memory and ${disk} GiB of disk free`,
  ].join('; ');
}

function hostIn(samples: readonly HostSample[], phase: Phase) {
  const within = during(samples, phase);
  const mean = within.reduce((sum, { cpuBusy }) => sum + cpuBusy, 0) / Math.max(1, within.length);
  const least = (values: number[]): string => (values.length === 0 ? '?' : (Math.min(...values) / GIB).toFixed(1));
  return {
    busy: (100 * mean).toFixed(0),
    load: Math.max(0, ...within.map(({ load }) => load)).toFixed(0),
    memory: least(within.map(({ memoryFreeBytes }) => memoryFreeBytes)),
    disk: least(within.map(({ diskFreeBytes }) => diskFreeBytes)),
  };
}

/** In Markdown: what honest visitors met, what became of the attacks, how the host did. */
export function tablesOf(seen: Seen): string {
  const { quiet, crowd, burnerAcquires, attackerAcquires, visits, host } = seen;
  const honest = rows(seen).flatMap(([name, all]) =>
    (
      [
        ['quiet', quiet],
        ['crowd', crowd],
      ] as const
    ).map(([title, phase]) => {
      const asked = during(all, phase);
      const { count, okShare, p50, p95, p99 } = timesOf(asked);
      const others = counted(asked.map(({ outcome }) => outcome).filter((outcome) => outcome !== 'ok'));
      return [
        name,
        title,
        String(count),
        `${(100 * okShare).toFixed(2)} %`,
        ms(p50),
        ms(p95),
        ms(p99),
        others || 'none',
      ];
    }),
  );
  const attacks = ATTACKS.map(({ name, ends }) => {
    const own = visits.filter(({ attack }) => attack === name);
    const ended = own.filter((visit) => visit.ended === ends).map(({ afterMs }) => afterMs / 1_000);
    const soon = ended.sort((a, b) => a - b);
    const middle = soon[Math.floor(soon.length / 2)];
    return [
      name,
      String(own.length),
      counted(own.map((visit) => visit.ended)) || 'none',
      middle === undefined ? '' : `${middle.toFixed(0)} s, at most ${(soon.at(-1) ?? 0).toFixed(0)} s`,
    ];
  });
  const hosts = (
    [
      ['quiet', quiet],
      ['crowd', crowd],
    ] as const
  ).map(([title, phase]) => {
    const { busy, load, memory, disk } = hostIn(host, phase);
    return [title, `${busy} %`, load, `${memory} GiB`, `${disk} GiB`];
  });
  return [
    table(['honest visitors', 'phase', 'asked', 'good', 'p50', 'p95', 'p99', 'not good'], honest),
    table(['attack', 'visits', 'how they ended', 'ended by us after (median)'], attacks),
    table(['host', 'processors busy', 'highest load', 'least memory free', 'least disk free'], hosts),
    `What attackers were told when they asked: ${counted(attackerAcquires.map(({ outcome }) => outcome))}.`,
    `Two who burn the pool from one address: ${counted(burnerAcquires.map(({ outcome }) => outcome)) || 'nothing'}.`,
    `Left behind: ${seen.left.join('; ') || 'nothing'}.`,
  ].join('\n\n');
}

function table(head: readonly string[], body: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...body].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

function ms(value: number): string {
  return value < 10 ? `${value.toFixed(1)} ms` : `${value.toFixed(0)} ms`;
}

/** Every goal that was missed, in words. */
export function misses(seen: Seen): string[] {
  const { quiet, crowd, burnerAcquires, visits } = seen;
  const problems: string[] = seen.left.map((left) => `left behind: ${left}`);
  for (const [name, all] of rows(seen)) {
    const [before, meanwhile] = [timesOf(during(all, quiet)), timesOf(during(all, crowd))];
    if (meanwhile.count === 0) problems.push(`no ${name} were asked for beside the crowd`);
    if (meanwhile.okShare < LEAST_SHARE)
      problems.push(`${(100 * meanwhile.okShare).toFixed(2)} % of the ${name} were good beside the crowd`);
    if (name === 'acquires') continue;
    for (const which of ['p50', 'p95'] as const)
      if (meanwhile[which] > MOST_TIMES * Math.max(LEAST_MS, before[which]))
        problems.push(`${which} of ${name} went from ${ms(before[which])} to ${ms(meanwhile[which])}`);
  }
  for (const { attack, wanted, ended, afterMs } of visits)
    if (ended !== 'over' && ended !== (wanted ?? 'left'))
      problems.push(`a visit with the attack "${attack}" ended as ${ended} after ${(afterMs / 1_000).toFixed(0)} s`);
  const wrongly = burnerAcquires.filter(({ outcome }) => outcome !== 'ok' && !RIGHT_REFUSALS.includes(outcome));
  if (wrongly.length > 0)
    problems.push(`who burns the pool was told ${counted(wrongly.map(({ outcome }) => outcome))}`);
  return problems;
}
