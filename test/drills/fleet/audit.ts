import Dockerode from 'dockerode';
import { engineSocket } from '../../fleet/fleet-parts.ts';
import type { Fleet } from '../../fleet/fleet.ts';
import { PORTS } from '../../fleet/surroundings.ts';
import type { Client } from './client.ts';
import type { Visit } from './crowd.ts';
import type { Entry, RecordedState } from './recorded-state.ts';
import { tasks } from './recorded-tasks.ts';

/** What a fleet at rest is compared with. */
export interface Expected {
  readonly template: string;
  /** How many stand ready. */
  readonly target: number;
  readonly residents: readonly Visit[];
}

interface Container {
  readonly name: string;
  readonly running: boolean;
  readonly address: string;
  readonly port: number;
}

/**
 * Everything that is out of order, in words, as it is seen from outside: containers and published ports of each host,
 * records, names, ports, and the page behind every name by every proxy. Nothing of the code under test is asked.
 */
export async function disorder(
  fleet: Fleet,
  state: RecordedState,
  client: Client,
  expected: Expected,
): Promise<string[]> {
  const records = await state.records();
  const unsettled = [
    ...poolProblems(records, expected),
    ...((await state.tickets(expected.template)) === 0 ? [] : ['tickets are out']),
  ];
  // What is under way shows in the records: the rest is worth a look only once they are at rest.
  if (unsettled.length > 0) return unsettled;
  const perHost = await Promise.all(
    fleet.hosts.map(async ({ machine: { name, address }, machine }) => {
      const there = records.filter(({ node }) => node === name);
      const containers = await containersOf(engineSocket(machine), fleet.deployment);
      return [...containerProblems(there, containers, address), ...portProblems(there, name, await state.ports(name))];
    }),
  );
  return [
    ...perHost.flat(),
    ...nameProblems(records, await state.names()),
    ...(await taskProblems(fleet)),
    ...(await pageProblems(records, fleet, client)),
  ];
}

function poolProblems(records: readonly Entry[], { target, residents }: Expected): string[] {
  const ready = records.filter(({ state }) => state === 'ready').length;
  const known = new Set(residents.map(({ id }) => id));
  return [
    ...(ready === target ? [] : [`${ready} are ready instead of ${target}`]),
    ...records
      .filter(({ state }) => state !== 'ready' && state !== 'assigned')
      .map(({ id, node, state, reason }) => `${id} on ${node} is ${state}${reason === null ? '' : ` (${reason})`}`),
    ...records
      .filter(({ id, state }) => state === 'assigned' && !known.has(id))
      .map(({ id, node }) => `${id} on ${node} is assigned, and no client knows of it`),
  ];
}

async function containersOf(socketPath: string, deployment: string): Promise<Container[]> {
  const docker = new Dockerode({ host: '', socketPath });
  const filters = { label: [`try-it-now.deployment=${deployment}`] };
  const found = await docker.listContainers({ all: true, filters });
  return found.map(({ Names: [name = ''], State, Ports: [published] }) => ({
    name: name.replace(/^\//, ''),
    running: State === 'running',
    address: published?.IP ?? '',
    port: published?.PublicPort ?? 0,
  }));
}

function containerProblems(records: readonly Entry[], containers: readonly Container[], address: string): string[] {
  const left = new Map(containers.map((container) => [container.name, container]));
  const problems = records.flatMap(({ id, node, container: name, port }) => {
    const container = left.get(name);
    left.delete(name);
    if (container === undefined) return [`the container of ${id} on ${node} is not there`];
    if (!container.running) return [`the container of ${id} on ${node} does not run`];
    const published = `${container.address}:${container.port}`;
    return published === `${address}:${port ?? 0}` ? [] : [`${id} on ${node} is published at ${published}`];
  });
  return [...problems, ...[...left.keys()].map((name) => `no record knows the container ${name} at ${address}`)];
}

function portProblems(
  records: readonly Entry[],
  node: string,
  { available, cooling, held }: Awaited<ReturnType<RecordedState['ports']>>,
): string[] {
  const all = [...available, ...cooling, ...Object.keys(held)].map(Number);
  const problems = all.filter((port, at) => all.indexOf(port) !== at).map((port) => `port ${port} is there twice`);
  const { start, end } = PORTS.instances;
  const range = Array.from({ length: end - start + 1 }, (_, at) => start + at);
  problems.push(...range.filter((port) => !all.includes(port)).map((port) => `port ${port} is lost`));
  const holders = new Map(records.map(({ id, port }) => [String(port), id]));
  for (const [port, id] of Object.entries(held))
    if (holders.get(port) !== id) problems.push(`port ${port} is held by ${id}, which does not have it`);
  for (const [port, id] of holders) if (held[port] !== id) problems.push(`port ${port} of ${id} is not held by it`);
  return problems.map((problem) => `${node}: ${problem}`);
}

/** A fleet at rest has nothing to do, and nothing that it gave up. */
async function taskProblems(fleet: Fleet): Promise<string[]> {
  const found = await tasks(fleet);
  if (found === undefined) return ['nobody leads the stream of tasks'];
  return [...found].flatMap(([stream, { count, where }]) =>
    count === 0 ? [] : [`${count} tasks are in ${stream} (${where})`],
  );
}

function nameProblems(records: readonly Entry[], names: Awaited<ReturnType<RecordedState['names']>>): string[] {
  const left = new Map(names);
  const problems = records.flatMap(({ id, label, node, port }) => {
    const name = left.get(label);
    left.delete(label);
    return name?.id === id && name.node === node && name.port === port ? [] : [`the name of ${id} does not lead to it`];
  });
  return [...problems, ...[...left.keys()].map((label) => `the name ${label} leads to nothing that is recorded`)];
}

/** Each name has a page of its own, whichever proxy is asked. */
async function pageProblems(records: readonly Entry[], fleet: Fleet, client: Client): Promise<string[]> {
  const seen = new Map<string, string>();
  const problems: string[] = [];
  for (const { id, label } of records)
    for (const at of fleet.proxies.keys()) {
      const { title, ...look } = await client.openBy(`${label}.localhost:${PORTS.proxy}`, at);
      if (title === undefined) problems.push(`${id} does not open by proxy ${at}: ${JSON.stringify(look)}`);
      else if ((seen.get(title) ?? id) !== id) problems.push(`${title} answers for ${seen.get(title) ?? ''} and ${id}`);
      else seen.set(title, id);
    }
  return problems;
}
