import type { Environment } from '../../config/environment.ts';
import { FunnelBody } from '../../http/admin/schemas.ts';
import { AdminClient } from '../admin-client.ts';
import { plainTable, printJson } from '../output.ts';

export interface FunnelOptions {
  readonly days: number;
  readonly json?: true;
}

/** What fits a terminal; `--json` has every step. */
const SHOWN = [
  ['CLICKED', 'clicked'],
  ['REFUSED', 'refused'],
  ['WAITED', 'waited'],
  ['GOT ONE', 'handed_over'],
  ['SEEN', 'first_page'],
  ['ACTIVE', 'active'],
  ['NEXT', 'call_to_action_clicked'],
  ['LEADS', 'lead_given'],
] as const;

export async function funnel(env: Environment, { days, json }: FunnelOptions): Promise<void> {
  const answer = await new AdminClient(env).ask(FunnelBody, 'GET', `/funnel?days=${days}`);
  if (json === true) {
    printJson(answer);
    return;
  }
  if (answer.rows.length === 0) {
    console.log(`Nobody has clicked in the last ${days === 1 ? 'day' : `${days} days`}.`);
    return;
  }
  const table = plainTable(['TEMPLATE', 'SITE', ...SHOWN.map(([heading]) => heading)]);
  for (const { template, site, steps } of answer.rows)
    table.push([template, site, ...SHOWN.map(([, step]) => steps.find((each) => each.step === step)?.count ?? 0)]);
  console.log(table.toString());
}
