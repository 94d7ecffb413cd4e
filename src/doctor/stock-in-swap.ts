import type { Template } from '../domain/template.ts';
import type { Consumption } from '../pool/interfaces/consumption.ts';
import { ok, warning, type Check, type Observation } from './check.ts';

const WHAT = 'stock in swap';
const MIB = 2 ** 20;
/** As much is left to the host. */
const LEFT_SHARE = 0.2;

interface Parts {
  readonly templates: readonly Pick<Template, 'name' | 'memory'>[];
  readonly swap: Consumption['swap'];
}

/** Only where a template asks for it. */
export function stockInSwapChecks({ templates, swap }: Parts): readonly Check[] {
  const asking = templates.filter(({ memory }) => memory === 'swap').map(({ name }) => name);
  return asking.length === 0
    ? []
    : [{ part: 'Host', what: WHAT, run: async () => [look(asking.join(', '), await swap())] }];
}

function look(asking: string, swap: Awaited<ReturnType<Consumption['swap']>>): Observation {
  const { total = 0, free = 0 } = swap ?? {};
  if (free > total * LEFT_SHARE)
    return ok(WHAT, `${asking}: ${Math.round(free / MIB)} of ${Math.round(total / MIB)} MiB of swap are free`);
  const why = total === 0 ? 'this host has no swap' : 'its swap is nearly full';
  return warning(
    WHAT,
    `ready instances of ${asking} stay in memory: ${why}`,
    'Make swap, such as a file as large as what all ready instances hold (see swapon(8)), or take ' +
      '`memory: swap` out of the template.',
  );
}
