import { execFile } from 'node:child_process';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { sleep } from '../../src/lifecycle/sleep.ts';
import { Scripts } from '../../src/store/scripts.ts';
import { PARTS } from './measure.ts';
import type { Part, SimulatedFleet } from './simulated-fleet.ts';

const run = promisify(execFile);

/** One kind of question to Valkey, as all processes of a part ask it. */
export interface Question {
  readonly of: Part | 'others';
  /** A script, or a command and its key without what differs from one instance, node or process to the next. */
  readonly what: string;
  /** Round trips. */
  readonly perSecond: number;
  /** With those that scripts carry out. */
  readonly commandsPerSecond: number;
}

interface Seen {
  /** `lua`, or the client's address and port. */
  readonly source: string;
  /** The first few. */
  readonly args: readonly string[];
}

/** What each part asks Valkey while nobody comes, the most expensive first. MONITOR sees all of it. */
export async function whoAsks(fleet: SimulatedFleet, forMs: number): Promise<readonly Question[]> {
  const partOf = await partsByPort(fleet);
  const scripts = new Scripts(fleet.valkey).names;
  const seen = new Map<string, { of: Question['of']; what: string; calls: number; commands: number }>();
  let last: { commands: number } | undefined;
  const note = ({ source, args }: Seen): void => {
    if (source === 'lua') {
      if (last !== undefined) last.commands += 1;
      return;
    }
    const of = partOf.get(Number(source.slice(source.lastIndexOf(':') + 1))) ?? 'others';
    const what = nameOf(args, scripts);
    const entry = seen.get(`${of} ${what}`) ?? { of, what, calls: 0, commands: 0 };
    seen.set(`${of} ${what}`, entry);
    entry.calls += 1;
    entry.commands += 1;
    last = entry;
  };
  // The client takes what MONITOR tells before its answer for the answer.
  const monitor = connect(fleet.ports.valkey, '127.0.0.1');
  monitor.write('MONITOR\r\n');
  createInterface(monitor).on('line', (line) => {
    const told = parseLine(line);
    if (told !== undefined) note(told);
  });
  const startedAt = performance.now();
  await sleep(forMs);
  const seconds = (performance.now() - startedAt) / 1_000;
  monitor.destroy();
  return [...seen.values()]
    .map(({ of, what, calls, commands }) => ({
      of,
      what,
      perSecond: calls / seconds,
      commandsPerSecond: commands / seconds,
    }))
    .sort((a, b) => b.commandsPerSecond - a.commandsPerSecond);
}

/** In Markdown; what a worker asks is told of one node. */
export function questionTable(questions: readonly Question[], nodes: number): string {
  const rows = questions.map(({ of, what, perSecond, commandsPerSecond }) => {
    const share = of === 'worker' ? nodes : 1;
    return [of, what, (perSecond / share).toFixed(2), (commandsPerSecond / share).toFixed(2)];
  });
  const totals = [...PARTS, 'others' as const].flatMap((part) => {
    const own = questions.filter(({ of }) => of === part);
    if (own.length === 0) return [];
    const share = part === 'worker' ? nodes : 1;
    const sum = (of: (question: Question) => number): string =>
      (own.reduce((total, each) => total + of(each), 0) / share).toFixed(1);
    return [[part, 'all', sum(({ perSecond }) => perSecond), sum(({ commandsPerSecond }) => commandsPerSecond)]];
  });
  const head = ['process (one node)', 'asks', 'round trips a second', 'commands a second'];
  return [head, head.map(() => '---'), ...totals, ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

async function partsByPort(fleet: SimulatedFleet): Promise<ReadonlyMap<number, Part>> {
  const { stdout } = await run('ss', ['-tnpH', `dport = :${fleet.ports.valkey}`]);
  const pidOf = new Map<number, number>();
  for (const line of stdout.split('\n')) {
    const [, port, pid] = /:(\d+)\s+\S+\s+users:.*?pid=(\d+),/.exec(line) ?? [];
    if (port !== undefined && pid !== undefined) pidOf.set(Number(port), Number(pid));
  }
  const parts = new Map(PARTS.flatMap((part) => fleet.pids(part).map((pid) => [pid, part] as const)));
  return new Map(
    [...pidOf].flatMap(([port, pid]) => {
      const part = parts.get(pid);
      return part === undefined ? [] : [[port, part] as const];
    }),
  );
}

/** Such as `+1339518083.107412 [0 127.0.0.1:60866] "keys" "*"`. */
function parseLine(line: string): Seen | undefined {
  const [, source, rest = ''] = /^\+\S+ \[\d+ ([^\]]+)\] (.*)$/.exec(line) ?? [];
  if (source === undefined) return undefined;
  return {
    source,
    args: rest
      .slice(0, 200)
      .split('" "')
      .map((arg) => arg.replaceAll('"', '')),
  };
}

function nameOf([command = '', ...args]: readonly string[], scripts: ReadonlyMap<string, string>): string {
  const name = command.toLowerCase();
  if (name === 'evalsha') return `script ${scripts.get(args[0] ?? '') ?? 'of another version'}`;
  return `${name} ${(args[0] ?? '').replace(/:.*/, ':…')}`.trim();
}
