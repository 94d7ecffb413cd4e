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
  const mixed = templatesInTwoVersions(running);
  if (mixed.length === 0) return ok(WHAT, seen);
  return warning(
    WHAT,
    `${seen}; they do not have the same ${mixed.join(', ')}, so visitors get one version or the other`,
    'Give all of them the same templates, and restart those that started first (`systemctl restart try-it-now`).',
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
