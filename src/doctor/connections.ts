import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Template } from '../domain/template.ts';
import { FLOWS_AT_MOST } from '../runtime/isolation/flow-limits.ts';
import { ok, warning, type Check, type Observation } from './check.ts';

const WHAT = 'connections';
/** From here on others may soon get no connection any more. */
const NEARLY_FULL = 0.8;

/**
 * The kernel's table of connections, which instances with egress and everything else on this host fill together.
 * `kernel`: the folder of the kernel's settings.
 */
export function connectionsCheck(templates: readonly Template[], kernel = '/proc/sys'): Check {
  return { part: 'Host', what: WHAT, run: async () => look(templates, join(kernel, 'net', 'netfilter')) };
}

async function look(templates: readonly Template[], folder: string): Promise<Observation[]> {
  const read = async (name: string): Promise<number> =>
    Number(await readFile(join(folder, `nf_conntrack_${name}`), 'utf8').catch(() => '0'));
  const [most, count] = [await read('max'), await read('count')];
  // The module comes with the first rule that asks for it.
  if (most === 0) return [ok(WHAT, 'the kernel tracks none yet')];
  const raise = (to: number): string =>
    `Raise it: \`sysctl -w net.netfilter.nf_conntrack_max=${to}\`, and the same in a file in /etc/sysctl.d; each ` +
    'takes up to 320 bytes.';
  if (count > NEARLY_FULL * most) {
    const seen = `${count} of the ${most} that the kernel's table holds: no more can be opened once it is full`;
    return [warning(WHAT, seen, raise(2 * most))];
  }
  const instances = templates.reduce((sum, { egress, pool }) => sum + (egress === undefined ? 0 : pool.max), 0);
  const theirs = instances * FLOWS_AT_MOST;
  if (theirs > NEARLY_FULL * most) {
    const seen =
      `the pools with egress may hold ${instances} instances, which could open ${theirs} together if all attack, and ` +
      `the kernel's table holds ${most}`;
    return [warning(WHAT, seen, `${raise(2 ** Math.ceil(Math.log2(theirs / NEARLY_FULL)))} Or lower their pool.max.`)];
  }
  return [ok(WHAT, `${count} of the ${most} that the kernel's table holds`)];
}
