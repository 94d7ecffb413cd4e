import type { Environment } from '../../config/environment.ts';
import { AuditBody } from '../../http/admin/schemas.ts';
import { AdminClient } from '../admin-client.ts';
import { fittedTable, printJson } from '../output.ts';
import { truncate, stripControlCharacters, shortTime } from './text.ts';

/** Enough of an id to tell it from others where room is short; `--json` has all of it. */
const ON_WIDTH = 14;
const ID_WIDTH = 26;
const WIDE = 100;

export async function audit(
  env: Environment,
  { json, limit }: { readonly json?: true; readonly limit: number },
): Promise<void> {
  const answer = await new AdminClient(env).ask(AuditBody, 'GET', `/audit?limit=${limit}`);
  if (json === true) {
    printJson(answer);
    return;
  }
  if (answer.entries.length === 0) {
    console.log('No operator has done anything yet.');
    return;
  }
  const on = process.stdout.columns >= WIDE ? ID_WIDTH : ON_WIDTH;
  console.log(
    fittedTable(
      ['AT (UTC)', 'WHO', 'OUTCOME', 'ON', 'ACTION'],
      [14, 8, 16, on],
      answer.entries.map(({ at, who, action, on: subject, outcome }) => [
        shortTime(at),
        who.replace(/^key:/, ''),
        outcome,
        truncate(stripControlCharacters(subject), on),
        stripControlCharacters(action),
      ]),
    ),
  );
}
