import type { Static } from 'typebox';
import type { Environment } from '../../config/environment.ts';
import { InstanceSnapshotBody, InstancesBody } from '../../http/admin/schemas.ts';
import { AdminClient } from '../admin-client.ts';
import { confirmed } from '../confirmed.ts';
import { plainTable, printJson } from '../output.ts';
import { idOf } from './named-instance.ts';
import { distance, stripControlCharacters } from './text.ts';

type Instance = Static<typeof InstanceSnapshotBody>;

export interface ListOptions {
  readonly json?: true;
  readonly template?: string;
  readonly state?: string;
  readonly node?: string;
}

export async function list(env: Environment, { json, ...filter }: ListOptions): Promise<void> {
  const answer = await new AdminClient(env).ask(
    InstancesBody,
    'GET',
    `/instances?${new URLSearchParams(filter).toString()}`,
  );
  if (json === true) {
    printJson(answer);
    return;
  }
  if (answer.instances.length === 0) {
    console.log('There is no such instance.');
    return;
  }
  const table = plainTable(['ID', 'TEMPLATE', 'STATE', 'NODE', 'AGE', 'LEFT']);
  for (const { id, template, state, node, created_at: created, expires_at: expires } of answer.instances)
    table.push([
      id,
      template,
      state,
      node,
      distance(created),
      state === 'assigned' && expires !== null ? distance(expires) : '',
    ]);
  console.log(table.toString());
  for (const { id, quarantine_reason: reason } of answer.instances)
    if (reason !== null) console.log(`${id}: ${stripControlCharacters(reason)}`);
  const alone = new Map(answer.instances.map(({ template, frame_refusal: refusal }) => [template, refusal]));
  for (const [template, refusal] of alone)
    if (refusal !== null)
      console.log(`${template} is opened without the bar, because ${stripControlCharacters(refusal)}.`);
}

export async function show(env: Environment, named: string, { json }: { readonly json?: true }): Promise<void> {
  const client = new AdminClient(env);
  const found = await client.ask(InstanceSnapshotBody, 'GET', path(await idOf(client, named)));
  if (json === true) printJson(found);
  else print(found);
}

export async function release(
  env: Environment,
  named: string,
  { json, yes }: { readonly json?: true; readonly yes?: true },
): Promise<void> {
  const client = new AdminClient(env);
  const id = await idOf(client, named);
  const found = await client.ask(InstanceSnapshotBody, 'GET', path(id));
  const whose = found.state === 'assigned' ? 'a visitor has it' : `it is ${found.state}`;
  if (yes !== true && !(await confirmed(`End instance ${id} of ${found.template} (${whose})?`))) {
    console.log('Nothing was ended.');
    return;
  }
  const released = await client.ask(InstanceSnapshotBody, 'DELETE', path(id));
  if (json === true) printJson(released);
  else console.log(`Instance ${id} is ${released.state}; its address has stopped working, for good.`);
}

export async function logs(env: Environment, named: string, { tail }: { readonly tail: number }): Promise<void> {
  const client = new AdminClient(env);
  const text = await client.text(`${path(await idOf(client, named))}/logs?tail=${tail}`);
  // Hostile code may have written it: a terminal gets no control characters, a file or a pipe gets all there is.
  process.stdout.write(process.stdout.isTTY ? stripControlCharacters(text, 'lines') : text);
}

function path(id: string): string {
  return `/instances/${encodeURIComponent(id)}`;
}

function print({
  id,
  template,
  state,
  node,
  container,
  port,
  created_at: created,
  expires_at: expires,
  client,
  url,
  quarantine_reason: reason,
  frame_refusal: refusal,
  failures,
}: Instance): void {
  const table = plainTable([]);
  table.push(
    ['Instance', id],
    ['Template', template],
    ['State', state],
    ['Container', `${container} on ${node}`],
    ['Port', port === null ? 'none' : String(port)],
    ['Created', created],
  );
  if (expires !== null) table.push(['Expires', expires]);
  if (client !== null) table.push(['Handed to', client]);
  if (url !== null) table.push(['Address', url]);
  if (refusal !== null) table.push(['Opened without the bar, because', stripControlCharacters(refusal)]);
  if (failures > 0) table.push(['Cleanups that failed', String(failures)]);
  if (reason !== null) table.push(['Why in quarantine', stripControlCharacters(reason)]);
  console.log(table.toString());
}
