import type { Environment } from '../../config/environment.ts';
import { SessionsBody } from '../../http/admin/session-routes.ts';
import { AdminClient } from '../admin-client.ts';
import { plainTable, printJson } from '../output.ts';
import type { JsonOptions } from './queue-commands.ts';
import { distance, stripControlCharacters } from './text.ts';

export async function list(env: Environment, { json }: JsonOptions): Promise<void> {
  const answer = await new AdminClient(env).ask(SessionsBody, 'GET', '/sessions');
  if (json === true) {
    printJson(answer);
    return;
  }
  if (answer.sessions.length === 0) {
    console.log('Nobody is logged in with a browser.');
    return;
  }
  const table = plainTable(['ID', 'WHO', 'ROLE', 'FROM', 'SINCE', 'LEFT']);
  for (const { id, who, role, from, since, until } of answer.sessions)
    table.push([
      id,
      stripControlCharacters(who),
      role,
      stripControlCharacters(from),
      `${distance(since)} ago`,
      distance(until),
    ]);
  console.log(table.toString());
}

export async function end(env: Environment, id: string): Promise<void> {
  await new AdminClient(env).send('DELETE', `/sessions/${encodeURIComponent(id)}`);
  console.log('They are logged out.');
}
