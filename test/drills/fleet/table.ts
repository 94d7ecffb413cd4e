import type { Outcome } from './stage.ts';

const SAID: Readonly<Record<string, string>> = { ok: 'served', nobody: 'not answered' };

/** In Markdown, a row a fault. */
export function faultTable(outcomes: readonly Outcome[]): string {
  const head = [
    'fault',
    'who asked for an instance meanwhile',
    'served at once again after (s)',
    'pool full on the rest after (s)',
    'nothing of it handed out any more after (s)',
    'who was in an app elsewhere',
    'who was in an app there',
    'back with stock after (s)',
    'in order after (s)',
    'lost or held twice',
  ];
  const rows = outcomes.map((outcome) => [
    `${outcome.fault}, ${seconds(outcome.lastedMs)} s`,
    acquirers(outcome),
    seconds(outcome.servedAfterMs),
    seconds(outcome.poolAfterMs),
    seconds(outcome.withdrawnAfterMs),
    inApps(outcome.elsewhere),
    inApps(outcome.there),
    seconds(outcome.stockAfterMs),
    seconds(outcome.orderAfterMs),
    kinds(outcome.problems) || 'nothing',
  ]);
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

/** Without whose and when, and how many there are of each kind. */
function kinds(problems: readonly string[]): string {
  const found = new Map<string, number>();
  for (const problem of problems) {
    const kind = problem.replaceAll(/\b[a-z0-9]{26}\b/g, '…').replace(/ saw no page .*/, ' saw no page for a while');
    found.set(kind, (found.get(kind) ?? 0) + 1);
  }
  return [...found].map(([kind, count]) => `${count} × ${kind}`).join('; ');
}

function acquirers({ asked, repeated }: Outcome): string {
  const parts = Object.entries(asked)
    .sort(([, a], [, b]) => b - a)
    .map(([kind, count]) => `${count} ${SAID[kind] ?? `\`${kind}\``}`);
  return [...parts, ...(repeated === 0 ? [] : [`${repeated} at the second try`])].join(', ') || 'nobody';
}

function inApps({ visitors, lost, repeated, noticed, offered }: Outcome['elsewhere']): string {
  if (visitors === 0) return '-';
  const parts = [
    ...(repeated === 0 ? [] : [`${repeated} pages by the other proxy`]),
    ...(noticed === 0 ? [] : [`${noticed} saw none for a while`]),
    ...(offered === 0 ? [] : [`${offered} were offered another`]),
    ...(lost === 0 ? [] : [`${lost} lost their instance`]),
  ];
  return `${visitors}: ${parts.join(', ') || 'noticed nothing'}`;
}

function seconds(ms: number | undefined): string {
  return ms === undefined ? '-' : (ms / 1_000).toFixed(1);
}
