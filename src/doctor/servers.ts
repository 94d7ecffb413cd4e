import { NO_NODE } from '../domain/node.ts';
import type { RunningProcess } from '../domain/running-process.ts';
import type { ProcessRegistry } from '../pool/interfaces/process-registry.ts';
import { ok, warning, type Check, type Observation, type Shared } from './check.ts';

const WHAT = 'servers';

/** Which servers and workers run, and which of them does what one does for all. */
export function serversCheck(processes: Shared<Pick<ProcessRegistry, 'running'>>): Check {
  return { part: 'Server', what: WHAT, run: async () => [judge(await (await processes.need()).running())] };
}

function judge(running: readonly RunningProcess[]): Observation {
  if (running.length === 0)
    return warning(
      WHAT,
      'no server or worker says that it runs',
      'Start one (`systemctl start try-it-now`). A server of a version before this one says nothing; restart it.',
    );
  const seen = running.map(describeProcess).join('; ');
  const refused = running.flatMap(({ role, host, pid, catalogue }) =>
    catalogue?.problem === undefined ? [] : [`${role} ${host}/${pid} goes by older ones, since ${catalogue.problem}`],
  );
  if (refused.length > 0)
    return warning(
      WHAT,
      `${seen}; the templates were not reloaded everywhere: ${refused.join('; ')}`,
      'Fix the file there (`try-it-now templates check FILE`), then `try-it-now templates reload`.',
    );
  const lacking = running.flatMap(({ role, host, pid, lacks = [] }) =>
    lacks.length === 0 ? [] : [`${role} ${host}/${pid} lacks ${lacks.join(', ')}`],
  );
  if (lacking.length > 0)
    return warning(
      WHAT,
      `${seen}; ${lacking.join('; ')}: what instances write and compute there is bounded in part only, and some ` +
        'checkpoints cannot be restored',
      'Run it as root, by the unit that is shipped (`make install`, `systemctl daemon-reload`, a restart), and ' +
        'without drop-ins that take these rights away.',
    );
  const mixed = templatesInTwoVersions(running);
  if (mixed.length === 0) return revisions(running, seen);
  return warning(
    WHAT,
    `${seen}; they do not have the same ${mixed.join(', ')}, so visitors get one version or the other`,
    // What the program itself adds to a template, such as its filter of system calls, is part of its version.
    new Set(running.map(({ version }) => version)).size > 1
      ? 'Finish the upgrade, servers before workers: they run different versions of the program. If that is done, ' +
          'give all of them the same templates, then `try-it-now templates reload`.'
      : 'Give all of them the same templates, then `try-it-now templates reload`.',
  );
}

/** Titles and sizes of pools make no other version, but another file. */
function revisions(running: readonly RunningProcess[], seen: string): Observation {
  const said = running.flatMap(({ role, host, pid, catalogue }) =>
    catalogue === undefined ? [] : [{ who: `${role} ${host}/${pid}`, revision: catalogue.revision }],
  );
  if (new Set(said.map(({ revision }) => revision)).size < 2) return ok(WHAT, seen);
  return warning(
    WHAT,
    `${seen}; they were given different files of templates: ` +
      said.map(({ who, revision }) => `${who} goes by ${revision}`).join(', '),
    'Give all of them the same file, then `try-it-now templates reload`.',
  );
}

function describeProcess({ role, host, pid, node, version, leads }: RunningProcess): string {
  const leading = leads.length === 0 ? '' : `, leads ${[...leads].sort().join(', ')}`;
  return `${role} ${host}/${pid} (${version}, ${node === NO_NODE ? 'no engine' : `node ${node}`}${leading})`;
}

/** One that a process does not offer at all may be meant so. */
function templatesInTwoVersions(running: readonly RunningProcess[]): string[] {
  const versions = new Map<string, Set<string>>();
  for (const { templates } of running)
    for (const [name, version] of Object.entries(templates))
      versions.set(name, (versions.get(name) ?? new Set()).add(version));
  return [...versions].flatMap(([name, found]) => (found.size > 1 ? [name] : [])).sort();
}
