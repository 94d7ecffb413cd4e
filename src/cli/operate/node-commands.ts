import type { Static } from 'typebox';
import type { Environment } from '../../config/environment.ts';
import { ParseError, duration } from '../../config/parsers.ts';
import { TryItNowError } from '../../domain/errors.ts';
import { NodeBody, NodeRemovedBody, NodesBody } from '../../http/admin/node-schemas.ts';
import { AdminClient } from '../admin-client.ts';
import { confirmed } from '../confirmed.ts';
import { fittedTable, plainTable, printJson } from '../output.ts';
import { distance, shortTime, stripControlCharacters, truncate } from './text.ts';

type Node = Static<typeof NodeBody>;

export interface NodeOptions {
  readonly json?: true;
  readonly yes?: true;
}

export interface NodeDrainOptions extends NodeOptions {
  readonly deadline?: string;
}

const NAME_WIDTH = 16;
const REASON_WIDTH = 200;

export async function list(env: Environment, { json }: NodeOptions): Promise<void> {
  const answer = await new AdminClient(env).ask(NodesBody, 'GET', '/nodes');
  if (json === true) {
    printJson(answer);
    return;
  }
  const table = plainTable(['NODE', 'STATE', 'READY', 'ASSIGNED', 'WARMING', 'LEAVING', 'PORTS', 'HEARD']);
  for (const { name, state, alive, instances, ports_free: ports, heartbeat_age_seconds: age } of answer.nodes) {
    const { ready, assigned, warming, leaving } = instances;
    table.push([
      truncate(name, NAME_WIDTH),
      state,
      ready,
      assigned,
      warming,
      leaving,
      ports,
      alive && age !== null ? `${Math.round(age)} s` : 'silent',
    ]);
  }
  console.log(table.toString());
  for (const node of answer.nodes) for (const line of remarks(node)) console.log(`${node.name}: ${line}`);
}

export async function show(env: Environment, name: string, { json }: NodeOptions): Promise<void> {
  print(await new AdminClient(env).ask(NodeBody, 'GET', path(name)), json);
}

export async function cordon(env: Environment, name: string, { json }: NodeOptions): Promise<void> {
  print(await new AdminClient(env).ask(NodeBody, 'POST', path(name, 'cordon'), {}), json);
}

export async function uncordon(env: Environment, name: string, { json }: NodeOptions): Promise<void> {
  print(await new AdminClient(env).ask(NodeBody, 'POST', path(name, 'uncordon'), {}), json);
}

export async function drain(env: Environment, name: string, options: NodeDrainOptions): Promise<void> {
  const { deadline = '30m', json, yes } = options;
  const within = secondsOf(deadline);
  if (
    yes !== true &&
    !(await confirmed(`Empty node ${name}, and end what visitors still hold there after ${deadline}?`))
  ) {
    console.log('Nothing was changed.');
    return;
  }
  print(await new AdminClient(env).ask(NodeBody, 'POST', path(name, 'drain'), { within_seconds: within }), json);
}

export async function remove(
  env: Environment,
  name: string,
  { json, yes, force }: NodeOptions & { readonly force?: true },
): Promise<void> {
  const lost = force === true ? ', with every instance that is recorded on it' : '';
  if (yes !== true && !(await confirmed(`Forget node ${name}${lost}?`))) {
    console.log('Nothing was changed.');
    return;
  }
  const removed = await new AdminClient(env).ask(
    NodeRemovedBody,
    'DELETE',
    `${path(name)}${force === true ? '?force=true' : ''}`,
  );
  if (json === true) printJson(removed);
  else console.log(`Node ${name} is forgotten; ${removed.settled} instances of it were discarded.`);
}

function path(name: string, action?: string): string {
  const node = `/nodes/${encodeURIComponent(name)}`;
  return action === undefined ? node : `${node}/${action}`;
}

function secondsOf(text: string): number {
  const kind = duration('0s', '30d', '30m');
  const value = kind.parse(text);
  if (value instanceof ParseError)
    throw new TryItNowError('invalid_request', `--deadline is ${JSON.stringify(text)}; it must be ${kind.expects}`);
  return Math.ceil(value / 1000);
}

function print(node: Node, json: true | undefined): void {
  if (json === true) {
    printJson(node);
    return;
  }
  const { ready, assigned, warming, leaving } = node.instances;
  const rows: string[][] = [
    ['Node', node.name],
    ['State', node.state],
    ['Heard', node.heartbeat_age_seconds === null ? 'silent' : `${Math.round(node.heartbeat_age_seconds)} s ago`],
    ['Address', node.address ?? 'unknown'],
    ['Instances', `${ready} ready, ${assigned} assigned, ${warming} warming, ${leaving} leaving`],
  ];
  if (node.alive)
    rows.push(
      ['Runs', `${node.engine ?? ''}, Try It Now ${node.version ?? ''}`],
      ['Labels', node.labels.join(', ') || 'none'],
      ['Room', room(node)],
      ['Checkpoints', node.checkpoints.join(', ') || 'none'],
      ...node.arrivals.map((each) => [`of ${each.template}`, arrivalOf(each)]),
    );
  console.log(fittedTable([], [12], rows));
  for (const line of remarks(node)) console.log(line);
}

function arrivalOf({ checkpoint, state, detail }: Node['arrivals'][number]): string {
  const said = truncate(stripControlCharacters(detail), REASON_WIDTH);
  switch (state) {
    case 'here':
      return `${checkpoint}, restored here`;
    case 'own':
      return `its own ${said} in place of ${checkpoint}`;
    case 'refused':
      return `${checkpoint} is not used: ${said}`;
    case 'waiting':
    case 'fetching':
    case 'trying':
    case 'making':
      return `${checkpoint}: ${state}, ${said}`;
  }
}

function room({ capacity, cpus, ports, ports_free: free, memory, disk }: Node): string {
  const gib = (bytes: number): string => (bytes / 2 ** 30).toFixed(1);
  const parts = [`${free} of ${ports ?? 0} ports free`, `${cpus ?? 0} processors`];
  if (capacity !== null) parts.unshift(`${capacity} instances at most`);
  if (memory !== null) parts.push(`${gib(memory.available)} of ${gib(memory.total)} GiB memory available`);
  if (disk !== null) parts.push(`${gib(disk.available)} of ${gib(disk.total)} GiB disk free`);
  return parts.join(', ');
}

function remarks({ name, state, since, deadline, alive, instances, avoided }: Node): string[] {
  const lines: string[] = [];
  if (since !== null) lines.push(`${state === 'cordoned' ? 'cordoned' : 'drained'} since ${shortTime(since)}`);
  if (state === 'draining' && deadline !== null) {
    const left = Date.parse(deadline) > Date.now() ? `in ${distance(deadline)}` : 'now';
    lines.push(`${instances.assigned} visitors and ${instances.ready} ready left; the rest ends ${left}`);
  }
  if (!alive)
    lines.push(
      `it is silent: ${instances.assigned} visits go on if it comes back, ${instances.leaving} instances wait to be ` +
        `taken down there. If its host is gone for good: try-it-now nodes remove ${name} --force`,
    );
  else if (state === 'active')
    for (const { template, reason, last_resort: isLastResort } of avoided) {
      const what =
        isLastResort === true
          ? `gets instances of ${template} only as no other can make them`
          : `gets no instances of ${template}`;
      lines.push(`${what}: ${truncate(stripControlCharacters(reason), REASON_WIDTH)}`);
    }
  return lines;
}
