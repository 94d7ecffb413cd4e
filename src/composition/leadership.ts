import { hostname } from 'node:os';
import { proxyTask } from './proxy-task.ts';
import type { Config } from '../config/config.ts';
import { describeError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { NO_NODE } from '../domain/node.ts';
import { RUNNING_PROCESS_VERSION, type RunningProcess } from '../domain/running-process.ts';
import type { Catalogue } from '../domain/template.ts';
import { Loop } from '../lifecycle/loop.ts';
import type { Releasers } from '../lifecycle/releasers.ts';
import type { Turn } from '../pool/interfaces/turn.ts';
import type { OperatorActivity } from '../pool/operator-jobs.ts';
import type { ReloadProgress } from '../pool/reload-templates.ts';
import type { WantedOfProxy } from '../proxy/caddy-proxy.ts';
import type { Store } from '../store/store.ts';

/** For so long one that says nothing more is taken for alive. */
const LEADS_FOR_MS = 10_000;
const KEEP_INTERVAL_MS = 3_000;

export interface Leadership {
  /** Of looking after the node: one of the processes that share its name does. */
  readonly node: Pick<Turn, 'held'>;
  /** Of comparing what is recorded of the whole pool: one server does. Undefined for a worker. */
  readonly pool: Pick<Turn, 'held' | 'confirm'> | undefined;
  /** Whether what another server wrote into the proxy is this one's to replace. */
  readonly mayReplaceProxy: () => Promise<boolean>;
  /** How often all processes were asked so far to read their templates again. */
  readonly reloadsAsked: () => number;
  /** Tells the others that this process runs, and what it offers. */
  readonly announceProcess: () => Promise<void>;
  /**
   * Keeps it, and does that as well, all the time. `onGained`: it looks after node or pool from now on. `onTold`: each
   * time.
   */
  readonly keeper: (onGained: () => void, onTold: () => void) => Loop;
}

export interface LeadershipOptions {
  readonly store: Pick<Store, 'turns' | 'processes'>;
  readonly config: Config;
  readonly catalogue: Catalogue;
  readonly role: RunningProcess['role'];
  readonly version: string;
  readonly progress: ReloadProgress;
  readonly activity: OperatorActivity;
  /** What it wants of the proxy. */
  readonly proxy: { readonly wanted: WantedOfProxy };
  /** Rights that this process would need for its instances, and does not have. */
  readonly lacks: readonly string[];
  readonly releasers: Releasers;
  readonly log: Log;
}

/**
 * What of this process's work another one may do as well. Whoever started last does it: its settings and templates are
 * the newest. Throws store_unavailable.
 */
export async function openLeadership({
  store,
  config,
  catalogue,
  role,
  version,
  progress,
  releasers,
  log,
  ...said
}: LeadershipOptions): Promise<Leadership> {
  const { node } = config;
  const startedAtMs = Date.now();
  const nodeTurn = node.name === NO_NODE ? undefined : store.turns.of(`node:${node.name}`, { newestFirst: true });
  const poolTurn = role === 'server' ? store.turns.of('pool', { newestFirst: true }) : undefined;
  const proxyTurn = role === 'server' ? store.turns.of(proxyTask(config), { newestFirst: true }) : undefined;
  let reloadsAsked = 0;
  const announceProcess = async (): Promise<void> => {
    reloadsAsked = await store.processes.announce({
      v: RUNNING_PROCESS_VERSION,
      role,
      version,
      host: hostname(),
      pid: process.pid,
      node: node.name,
      startedAtMs,
      templates: Object.fromEntries(catalogue.all().map(({ name }) => [name, catalogue.version(name) ?? ''])),
      ...{ catalogue: described(catalogue, progress), ...ofProcess(said, role, config) },
      leads: [...store.turns.held()].flatMap(([task, held]) => (held ? [task] : [])),
    });
  };
  /** True: it looks after the node, or the pool, and did not before. */
  const keep = async (): Promise<boolean> => {
    const led = [nodeTurn?.held, poolTurn?.held];
    const [leadsNode, leadsPool] = await Promise.all([
      nodeTurn?.take(LEADS_FOR_MS),
      poolTurn?.take(LEADS_FOR_MS),
      proxyTurn?.take(LEADS_FOR_MS),
    ]);
    await announceProcess();
    return [leadsNode, leadsPool].some((leads, at) => leads === true && led[at] !== true);
  };
  await keep();
  releasers.push('leadership', () =>
    Promise.all([store.processes.leave(), store.turns.endAll()]).catch((error: unknown) =>
      log.debug({ reason: describeError(error) }, 'The others find out by themselves that this process has ended'),
    ),
  );
  return {
    node: nodeTurn ?? { held: false },
    pool: poolTurn,
    mayReplaceProxy: async () => (await proxyTurn?.confirm()) ?? true,
    reloadsAsked: () => reloadsAsked,
    announceProcess,
    keeper: (onGained, onTold) =>
      new Loop({ name: 'leadership', intervalMs: KEEP_INTERVAL_MS, maxBackoffMs: KEEP_INTERVAL_MS, log }, async () => {
        if (await keep()) onGained();
        onTold();
      }),
  };
}

/** Of a message of many lines, as much as a person reads in a table. */
const PROBLEM_CHARACTERS = 1_000;

function described(
  { revision }: Catalogue,
  { sinceMs, requests: reloads, problem }: ReloadProgress,
): NonNullable<RunningProcess['catalogue']> {
  return {
    ...{ revision, sinceMs, reloads },
    ...(problem === undefined ? {} : { problem: problem.slice(0, PROBLEM_CHARACTERS) }),
  };
}

/** Of long work, what others show of it. */
const JOBS_TOLD = 5;

function ofProcess(
  { activity: { jobs, diagnosed }, lacks, proxy }: Pick<LeadershipOptions, 'activity' | 'lacks' | 'proxy'>,
  role: RunningProcess['role'],
  config: Config,
): Pick<RunningProcess, 'jobs' | 'doctor' | 'proxy' | 'lacks'> {
  const told = jobs.slice(0, JOBS_TOLD).map(({ action, on, who, startedAtMs, endedAtMs, state, said }) => ({
    ...{ action, on, who, startedAtMs, state, said: said.slice(0, PROBLEM_CHARACTERS) },
    ...(endedAtMs === undefined ? {} : { endedAtMs }),
  }));
  const failures = diagnosed?.findings.filter(({ verdict }) => verdict === 'failure').length ?? 0;
  return {
    ...(role === 'server' ? { proxy: { task: proxyTask(config), ...proxy.wanted } } : {}),
    ...(lacks.length === 0 ? {} : { lacks: [...lacks] }),
    ...(told.length === 0 ? {} : { jobs: told }),
    ...(diagnosed === undefined ? {} : { doctor: { atMs: diagnosed.atMs, failures } }),
  };
}
