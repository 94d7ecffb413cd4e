import type { Environment } from '../../config/environment.ts';
import { AuditBody } from '../../http/admin/schemas.ts';
import { AdminClient } from '../admin-client.ts';
import { plainTable, printJson } from '../output.ts';
import { cut, harmless, shortTime } from './shown.ts';

/** Wide enough for what tells one from another; `--json` has all of it. */
const ON_WIDTH = 18;

export async function audit(env: Environment, { json, limit }: { readonly json?: true; readonly limit: number }): Promise<void> {
  const answer = await new AdminClient(env).ask(AuditBody, 'GET', `/audit?limit=${limit}`);
  if (json === true) {
    printJson(answer);
    return;
  }
  if (answer.entries.length === 0) {
    console.log('No operator has done anything yet.');
    return;
  }
  const table = plainTable(['AT (UTC)', 'WHO', 'ACTION', 'ON', 'OUTCOME']);
  for (const { at, who, action, on, outcome } of answer.entries) table.push([shortTime(at), who.replace(/^key:/, ''), harmless(action), cut(harmless(on), ON_WIDTH), outcome]);
  console.log(table.toString());
}
