import type { StoredDeadLetter } from '../queue/dead-letters.ts';
import { describeRefusal } from '../domain/frame-refusal.ts';
import type { FailureReport } from '../domain/failure-report.ts';
import { describeSize } from '../domain/describe-size.ts';
import type { Instance } from '../domain/instance.ts';
import type { Autosize, PoolSize } from '../domain/pool-size.ts';
import type { Template } from '../domain/template.ts';
import type { BreakerStatus } from '../pool/interfaces/breakers.ts';
import type { PoolControl } from '../pool/interfaces/pool-controls.ts';
import type { PoolStats } from '../pool/interfaces/inventory.ts';
import { failure, ok, warning, type Check, type Observation, type Shared } from './check.ts';

const PART = 'Pools';
const SHOWN = 3;
const NO_TROUBLE: BreakerStatus = { failures: 0, open: false, pauseMs: 0, unhealthy: 0 };

interface PoolState {
  readonly stats: ReadonlyMap<string, PoolStats>;
  readonly controls: ReadonlyMap<string, PoolControl>;
  readonly breakers: ReadonlyMap<string, BreakerStatus>;
  /** Of those that size themselves. */
  readonly sizes: ReadonlyMap<string, PoolSize>;
  /** Of every node. */
  readonly records: readonly Instance[];
}

export interface PoolTargets {
  readonly templates: readonly Template[];
  readonly state: Shared<PoolState>;
  /** Why instances of a failing template died last; empty while the queue cannot tell. */
  readonly deaths: (templates: readonly string[]) => Promise<ReadonlyMap<string, StoredDeadLetter>>;
  /** Why the last attempts of a template failed, the newest first. */
  readonly failures: (template: string) => Promise<readonly FailureReport[]>;
  /** Why one of it that is being started is not ready so far. */
  readonly unready: (template: string) => Promise<FailureReport | undefined>;
}

/** What visitors are given: idle instances against the target, and what keeps it from being there. */
export function poolChecks({ templates, state, deaths, failures, unready }: PoolTargets): Check[] {
  return [
    ...templates.flatMap(({ name, pool: { autosize } }): Check[] => [
      {
        part: PART,
        what: name,
        run: async () => {
          const known = await state.need();
          return [readyInstances(name, known), ...ownSize(name, autosize, known), ...withoutBar(name, known)];
        },
      },
      {
        part: PART,
        what: `refills of ${name}`,
        run: async () => [await refills(name, await state.need(), { deaths, failures, unready })],
      },
    ]),
    { part: PART, what: 'quarantine', run: async () => [quarantine((await state.need()).records)] },
  ];
}

function readyInstances(name: string, { stats, controls }: PoolState): Observation {
  const pool = stats.get(name);
  if (pool === undefined)
    return warning(name, 'nothing is known of it', 'Start the server (`systemctl start try-it-now`).');
  const { ready, target, assigned, warming, leaving, waiting, capacity } = pool;
  const { mode = 'open', reason, target: wished } = controls.get(name) ?? {};
  const seen =
    `${ready} of ${target} ready, ${assigned} handed out, ${warming} starting, ${leaving} leaving, ` +
    `${waiting > 0 ? `${waiting} waiting, ` : ''}at most ${capacity}`;
  if (mode !== 'open')
    return warning(
      name,
      `${mode}${reason === undefined ? '' : ` (${reason})`}: nothing is handed out; ${seen}`,
      `Open it again: \`try-it-now pool resume ${name}\`.`,
    );
  if (wished !== undefined && wished > capacity)
    return warning(
      name,
      `its target was set to ${wished}, but at most ${capacity} may exist, so that many are kept; ${seen}`,
      `Set another (\`try-it-now pool scale ${name} N\`), or raise POOL_MAX_SIZE (or pool.max of the template).`,
    );
  if (ready >= target)
    return target === 0
      ? warning(
          name,
          wished === 0
            ? `operators set its target to 0: nothing is started; ${seen}`
            : `its target is 0: nothing is kept ready, and one is started for each who waits; ${seen}`,
          `Raise it: \`try-it-now pool scale ${name} N\`, or POOL_TARGET_SIZE.`,
        )
      : ok(name, seen);
  if (ready + assigned + warming + leaving >= capacity && assigned > 0) {
    const remedy =
      `Raise pool.max of the template above ${capacity} and reload it (\`try-it-now templates reload\`), or ` +
      "POOL_MAX_SIZE and restart the server, or wait until visitors' time is up.";
    const full = `the pool is too small for its visitors: ${seen}`;
    return ready === 0 ? failure(name, full, remedy) : warning(name, full, remedy);
  }
  const remedy =
    'See "refills" of this template, the engine, the queue and the ports in this list for why; a pool that ' +
    'is being filled is full within a minute.';
  return ready === 0 ? failure(name, `empty: ${seen}`, remedy) : warning(name, `not full: ${seen}`, remedy);
}

/** Of a pool that sizes itself: why it is as large as it is, and what keeps it from being larger. */
function ownSize(name: string, autosize: Autosize | undefined, { sizes, controls, stats }: PoolState): Observation[] {
  if (autosize === undefined) return [];
  const what = `size of ${name}`;
  const wished = controls.get(name)?.target;
  if (wished !== undefined)
    return [
      warning(
        what,
        `an operator set the target to ${wished}, so the pool does not size itself`,
        `Let it again: \`try-it-now pool scale ${name} configured\`.`,
      ),
    ];
  const size = sizes.get(name);
  if (size === undefined)
    return [warning(what, 'no server has decided it yet', 'Start the server (`systemctl start try-it-now`).')];
  const seen = describeSize(size, autosize);
  if (size.bound === 'max')
    return [
      warning(what, seen, `Raise autosize.max of the template; at most ${stats.get(name)?.capacity ?? 0} may exist.`),
    ];
  if (size.bound === 'memory')
    return [
      warning(
        what,
        seen,
        'Give the hosts that may have it more memory or room (`try-it-now nodes show` says which may not, and why), ' +
          'add one, or lower limits.memory of the template.',
      ),
    ];
  return [ok(what, seen)];
}

async function refills(
  name: string,
  { breakers }: PoolState,
  { deaths, failures: reports, unready }: Pick<PoolTargets, 'deaths' | 'failures' | 'unready'>,
): Promise<Observation> {
  const what = `refills of ${name}`;
  const { failures, open, pauseMs, unhealthy } = breakers.get(name) ?? NO_TROUBLE;
  if (failures === 0 && unhealthy === 0) return noFailures(what, await unready(name));
  const [report] = await reports(name);
  const why = report === undefined ? await deathOf(name, deaths) : `the last failed: ${report.reason}`;
  const remedy =
    `${report?.remedy ?? 'Fix that cause in the template, its image or this host'}; the next try ` +
    `comes by itself, or at once with a restart of the server. \`try-it-now pool failures ${name}\` shows what the ` +
    'app wrote.';
  if (failures === 0) return warning(what, `${unhealthy} in a row were ready and did not stay healthy; ${why}`, remedy);
  if (!open) return warning(what, `${failures} failures in a row; ${why}`, remedy);
  const next = pauseMs > 0 ? `the next try comes in ${Math.ceil(pauseMs / 1_000)} s` : 'one is being tried';
  return failure(what, `paused after ${failures} failures in a row, ${next}; ${why}`, remedy);
}

function noFailures(what: string, unready: FailureReport | undefined): Observation {
  if (unready === undefined) return ok(what, 'no failures');
  return warning(
    what,
    `no failures, but one that is being started is not ready so far: ${unready.reason}`,
    `${unready.remedy}; it is waited for as long as readiness.timeout of the template says.`,
  );
}

/** Nothing is wrong then, but visitors see another page than of other apps. */
function withoutBar(name: string, { records }: PoolState): Observation[] {
  const latest = records
    .filter(({ template, state }) => template === name && (state === 'ready' || state === 'assigned'))
    .sort((a, b) => b.createdAtMs - a.createdAtMs)[0]?.bare;
  if (latest === undefined) return [];
  const seen = `visitors get it in a tab of its own, without the bar, because ${describeRefusal(latest)}`;
  return [ok(`frame of ${name}`, seen)];
}

async function deathOf(name: string, deaths: PoolTargets['deaths']): Promise<string> {
  const death = (await deaths([name])).get(name);
  return death === undefined
    ? 'no task of it has died yet: see `journalctl -u try-it-now | grep "Provision task failed"`'
    : `the last died of: ${death.reason}`;
}

function quarantine(records: readonly Instance[]): Observation {
  const held = records.filter(({ state }) => state === 'quarantined');
  if (held.length === 0) return ok('quarantine', 'nothing is quarantined');
  const shown = held
    .slice(0, SHOWN)
    .map(({ container, node, reason }) => `${container} on ${node}: ${reason ?? '?'}`)
    .join('; ');
  return warning(
    'quarantine',
    `${held.length} cannot be cleaned up (${shown}${held.length > SHOWN ? '; …' : ''})`,
    'Fix what the reason names; the cleanup is tried again by itself (`try-it-now instances list --state ' +
      'quarantined` ' +
      'lists them).',
  );
}
