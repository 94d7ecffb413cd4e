import type { Outcome } from './outage-drill.ts';

const KINDS = { stopped: 'stopped and started', hung: 'hung', emptied: 'came back empty', killed: 'killed' } as const;
const NAMES = {
  nats: 'NATS',
  valkey: 'Valkey',
  caddy: 'Caddy',
  podman: 'Podman service',
  mariadb: 'MariaDB',
  api: 'API server',
  discovery: 'discovery',
} as const;

/** In Markdown, a row an outage. */
export function outageTable(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map((outcome) => [
    `${NAMES[outcome.scenario.part]} ${KINDS[outcome.scenario.kind]}`,
    acquirers(outcome),
    inApps(outcome),
    seconds(outcome.serviceAfterMs),
    seconds(outcome.poolAfterMs),
    lost(outcome),
  ]);
  const head = [
    'outage',
    'who asked for an instance meanwhile',
    'who was in an app',
    'served again after (s)',
    'pool full after (s)',
    'lost',
  ];
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

function lost({ lost: things, deadLettered }: Outcome): string {
  return (
    [
      ...things,
      ...(deadLettered === 0 ? [] : [`${deadLettered} task${deadLettered === 1 ? '' : 's'} kept as dead`]),
    ].join('; ') || 'nothing'
  );
}

function acquirers({ asked, slowestAnswerMs }: Outcome): string {
  const all = [...asked.values()].reduce((sum, count) => sum + count, 0);
  if (all === 0) return 'nobody';
  const parts = [...asked]
    .sort(([, a], [, b]) => b - a)
    .map(([kind, count]) => `${count} ${SAID[kind] ?? `\`${kind}\``}`);
  return `${parts.join(', ')}; slowest answer ${seconds(slowestAnswerMs)} s`;
}

const SAID: Readonly<Record<string, string>> = { ok: 'served', unreachable: 'found no server', hung: 'got no answer' };

function inApps({ troubles, visitorsTroubled, visitorsInApps, longestGapMs }: Outcome): string {
  if (troubles.size === 0) return `${visitorsInApps} noticed nothing`;
  const seen = [
    ...new Set(
      [...troubles.keys()].map((what) =>
        what.replace(/ \d+\.\d+\.\d+\.\d+:\d+$/, '').replace('Unexpected server response:', 'status'),
      ),
    ),
  ];
  return (
    `${visitorsTroubled} of ${visitorsInApps} noticed (${seen.join(', ')}), at most ${seconds(longestGapMs)} ` +
    's between two answers'
  );
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(1);
}
