import { createHash } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { text } from 'node:stream/consumers';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect as connectNats } from '@nats-io/transport-node';
import { Redis as Valkey } from 'iovalkey';
import { createConnection } from 'mariadb';

/** Its ports' keys have no suffix. */
const FIRST_NODE = 'node0';

/** Where the recorded state of one deployment is kept. Nothing of the code under test is asked or used. */
export interface AuditTarget {
  readonly valkeyPort: number;
  readonly natsUrl: string;
  readonly caddyAdminUrl: string;
  readonly proxyPort: number;
  readonly deployment: string;
  /** Of the first node, as the engine is. */
  readonly portRange: AuditedNode['portRange'];
  readonly engine: AuditedNode['engine'];
  readonly furtherNodes?: readonly AuditedNode[];
  readonly mariadb?: { readonly socketPath: string; readonly user: string; readonly password: string };
  /** How many should be ready, by template. */
  readonly targets: Readonly<Record<string, number>>;
}

/** A host of instances. */
export interface AuditedNode {
  readonly name: string;
  readonly portRange: readonly [number, number];
  readonly engine: { readonly kind: 'podman' | 'docker' | 'simulated'; readonly socketPath: string };
}

function nodesOf({ portRange, engine, furtherNodes = [] }: AuditTarget): readonly AuditedNode[] {
  return [{ name: FIRST_NODE, portRange, engine }, ...furtherNodes];
}

/** What of a record the audit is about. */
export interface Entry {
  readonly id: string;
  readonly node: string;
  readonly label: string;
  readonly template: string;
  readonly container: string;
  readonly state: string;
  readonly port: number | null;
  readonly database: string | null;
  readonly deadlineMs: number | null;
  readonly endOfLifeMs: number | null;
  readonly owner: string | null;
  readonly reason: string | null;
}

interface Ledger {
  readonly records: readonly Entry[];
  readonly ready: ReadonlyMap<string, ReadonlyMap<string, number>>;
  readonly assigned: ReadonlyMap<string, ReadonlyMap<string, number>>;
  readonly leaving: ReadonlyMap<string, ReadonlyMap<string, number>>;
  readonly tickets: ReadonlyMap<string, ReadonlyMap<string, number>>;
  readonly hostnames: Readonly<Record<string, string>>;
  /** By node. */
  readonly ports: ReadonlyMap<string, Ports>;
}

interface Ports {
  readonly available: readonly string[];
  readonly cooling: readonly string[];
  readonly held: Readonly<Record<string, string>>;
}

/**
 * Everything that is out of order in a deployment that has come to rest, in words; empty: each container, port,
 * database, user, ticket, record and name is accounted for exactly once, and the pools are full.
 */
export async function discrepancies(of: AuditTarget): Promise<string[]> {
  const [ledger, containers, networks, databases, tasks, sites, places] = await Promise.all([
    readLedger(of),
    listContainers(of),
    listNetworks(of),
    listDatabases(of),
    listTasks(of),
    caddyServers(of),
    placeProblems(of),
  ]);
  return [
    ...recordProblems(of, ledger),
    ...containerProblems(ledger, containers),
    ...databaseProblems(ledger, databases),
    ...tasks,
    ...networkProblems(of, networks),
    ...sites,
    ...places,
  ];
}

/**
 * As `discrepancies`, for asking until there are none: work under way shows in the records, so the engine, the queue,
 * the databases and the proxy are asked only once the records are in order.
 */
export async function discrepanciesSoFar(of: AuditTarget): Promise<string[]> {
  const problems = recordProblems(of, await readLedger(of));
  return problems.length > 0 ? problems : discrepancies(of);
}

function recordProblems(of: AuditTarget, ledger: Ledger): string[] {
  return [
    ...poolProblems(of, ledger),
    ...nodesOf(of).flatMap((node) => portProblems(node, ledger)),
    ...indexProblems(ledger),
    ...hostnameProblems(ledger),
  ];
}

/** Each place in a line is in all three keys of it, and what is kept for a while only ends by itself. */
async function placeProblems({ valkeyPort }: AuditTarget): Promise<string[]> {
  const valkey = new Valkey(valkeyPort, '127.0.0.1');
  try {
    const problems: string[] = [];
    for (const key of await valkey.keys('waiting:*')) {
      const template = key.slice('waiting:'.length);
      const [line, leases, clients] = await Promise.all([
        valkey.zrange(key, 0, -1),
        valkey.zrange(`waiting_leases:${template}`, 0, -1),
        valkey.hkeys(`waiting_clients:${template}`),
      ]);
      if (new Set([...line, ...leases, ...clients]).size !== Math.min(line.length, leases.length, clients.length))
        problems.push(
          `the line for ${template} has ${line.length} places, ${leases.length} kept, ${clients.length} known`,
        );
    }
    for (const pattern of ['waiting*:*', 'ended_visit:*', 'lead:*'])
      for (const key of await valkey.keys(pattern))
        if ((await valkey.pttl(key)) === -1) problems.push(`${key} never ends`);
    return problems;
  } finally {
    valkey.disconnect();
  }
}

/** The records as they are stored. */
export async function readRecords(of: AuditTarget): Promise<readonly Entry[]> {
  return (await readLedger(of)).records;
}

async function readPorts(valkey: Valkey, { name }: AuditedNode): Promise<readonly [string, Ports]> {
  const suffix = name === FIRST_NODE ? '' : `:${name}`;
  const [available, cooling, held] = await Promise.all([
    valkey.smembers(`available_ports${suffix}`),
    valkey.zrange(`cooling_ports${suffix}`, 0, -1),
    valkey.hgetall(`held_ports${suffix}`),
  ]);
  return [name, { available, cooling, held }];
}

async function readLedger(of: AuditTarget): Promise<Ledger> {
  const valkey = new Valkey(of.valkeyPort, '127.0.0.1');
  try {
    const indexes = async (prefix: string): Promise<Map<string, Map<string, number>>> => {
      const keys = await valkey.keys(`${prefix}:*`);
      return new Map(
        await Promise.all(
          keys.map(async (key) => {
            const flat = await valkey.zrange(key, 0, -1, 'WITHSCORES');
            const members = new Map(
              flat.flatMap((member, at) => (at % 2 === 0 ? [[member, Number(flat[at + 1])] as const] : [])),
            );
            return [key.slice(prefix.length + 1), members] as const;
          }),
        ),
      );
    };
    const [texts, hostnames, ports] = await Promise.all([
      valkey.hgetall('instances'),
      valkey.hgetall('hostnames'),
      Promise.all(nodesOf(of).map((node) => readPorts(valkey, node))),
    ]);
    const [ready, assigned, leaving, tickets] = await Promise.all(
      ['ready', 'assigned', 'leaving', 'warming'].map(indexes),
    );
    if (ready === undefined || assigned === undefined || leaving === undefined || tickets === undefined)
      throw new Error('four indexes were asked for');
    const records = Object.entries(texts).map(([id, record]) => {
      const entry = JSON.parse(record) as Entry;
      if (entry.id !== id) throw new Error(`the record ${record} is stored under ${id}`);
      return entry;
    });
    return { records, ready, assigned, leaving, tickets, hostnames, ports: new Map(ports) };
  } finally {
    valkey.disconnect();
  }
}

function poolProblems({ targets }: AuditTarget, { records, tickets }: Ledger): string[] {
  const problems = records
    .filter(({ state }) => state !== 'ready' && state !== 'assigned')
    .map(({ id, state, reason }) => `instance ${id} is ${state}${reason === null ? '' : ` (${reason})`}`);
  for (const [template, target] of Object.entries(targets)) {
    const ready = records.filter((record) => record.template === template && record.state === 'ready').length;
    if (ready !== target) problems.push(`${ready} of ${template} are ready instead of ${target}`);
  }
  for (const [template, members] of tickets)
    problems.push(...[...members.keys()].map((id) => `the ticket ${id} of ${template} is out`));
  return problems;
}

interface Container {
  readonly name: string;
  readonly running: boolean;
  /** Undefined where the engine does not list it. */
  readonly port: number | undefined;
}

function containerProblems({ records }: Ledger, containers: readonly Container[]): string[] {
  const problems: string[] = [];
  const byName = new Map(containers.map((container) => [container.name, container]));
  if (byName.size !== containers.length) problems.push('two containers have one name');
  for (const { id, container, state, port } of records) {
    const found = byName.get(container);
    byName.delete(container);
    if (found === undefined) problems.push(`the container ${container} of ${state} instance ${id} is not there`);
    else if (!found.running) problems.push(`the container ${container} of ${state} instance ${id} does not run`);
    else if (found.port !== undefined && found.port !== port)
      problems.push(`the container ${container} is published on ${found.port}, its record says ${port ?? 'none'}`);
  }
  return [
    ...problems,
    ...[...byName.keys()].map((name) => `no record knows the container ${name}`),
    ...twice(
      'container',
      records.map(({ container }) => container),
    ),
  ];
}

function portProblems({ name, portRange: [start, end] }: AuditedNode, ledger: Ledger): string[] {
  const { available = [], cooling = [], held = {} } = ledger.ports.get(name) ?? {};
  const records = ledger.records.filter(({ node }) => node === name);
  const everywhere = [...available, ...cooling, ...Object.keys(held)];
  const problems = twice('port', everywhere);
  const known = new Set(everywhere.map(Number));
  for (let port = start; port <= end; port += 1) if (!known.delete(port)) problems.push(`the port ${port} is lost`);
  for (const port of known) problems.push(`the port ${port} is outside the range`);
  const holders = new Map(records.map(({ id, port }) => [id, port]));
  for (const [port, id] of Object.entries(held))
    if (holders.get(id) !== Number(port))
      problems.push(`the port ${port} is held by ${id}, whose record says ${holders.get(id) ?? 'nothing'}`);
  for (const { id, port } of records)
    if (port !== null && held[String(port)] !== id)
      problems.push(`instance ${id} has the port ${port}, which ${held[String(port)] ?? 'nobody'} holds`);
  return problems;
}

function indexProblems({ records, ready, assigned, leaving }: Ledger): string[] {
  const problems: string[] = [];
  const expected = new Map<string, number | null>();
  for (const { id, template, state, deadlineMs, endOfLifeMs } of records) {
    if (state === 'ready') expected.set(`ready ${template} ${id}`, endOfLifeMs);
    else if (state === 'assigned') expected.set(`assigned ${template} ${id}`, deadlineMs);
    else if (state === 'releasing' || state === 'quarantined') expected.set(`leaving ${template} ${id}`, null);
  }
  for (const [index, byTemplate] of Object.entries({ ready, assigned, leaving })) {
    for (const [template, members] of byTemplate) {
      for (const [id, score] of members) {
        const entry = `${index} ${template} ${id}`;
        const wanted = expected.get(entry);
        if (wanted === undefined) problems.push(`${id} is in ${index}:${template}, where it does not belong`);
        else if (wanted !== null && wanted !== score)
          problems.push(`${id} stands at ${score} in ${index}:${template} instead of ${wanted}`);
        expected.delete(entry);
      }
    }
  }
  return [...problems, ...[...expected.keys()].map((entry) => `missing from its index: ${entry}`)];
}

function hostnameProblems({ records, hostnames }: Ledger): string[] {
  const problems = twice(
    'label',
    records.map(({ label }) => label),
  );
  const left = new Map(Object.entries(hostnames));
  for (const { id, label, state, port } of records.filter(
    (record) => record.state === 'ready' || record.state === 'assigned',
  )) {
    const entry = left.get(label);
    left.delete(label);
    if (entry === undefined) {
      problems.push(`the name of ${state} instance ${id} does not resolve`);
      continue;
    }
    const { id: named, port: leadsTo } = JSON.parse(entry) as { id: string; port: number };
    if (named !== id || leadsTo !== port)
      problems.push(`the name of ${id} leads to ${named} at ${leadsTo} instead of ${port ?? 'no port'}`);
  }
  for (const [label, entry] of left) problems.push(`the name ${label} resolves without a live instance: ${entry}`);
  return problems;
}

function databaseProblems(
  { records }: Ledger,
  databases: { readonly names: readonly string[]; readonly users: readonly string[] },
): string[] {
  const wanted = new Set(records.flatMap(({ database }) => database ?? []));
  const compare = (what: string, found: readonly string[]): string[] => [
    ...found.filter((name) => !wanted.has(name)).map((name) => `no record knows the ${what} ${name}`),
    ...[...wanted]
      .filter((name) => !found.includes(name))
      .map((name) => `the ${what} ${name} of a record is not there`),
  ];
  return [
    ...compare('database', databases.names),
    ...compare('database user', databases.users),
    ...twice(
      'database',
      records.flatMap(({ database }) => database ?? []),
    ),
  ];
}

function networkProblems({ deployment }: AuditTarget, networks: readonly string[]): string[] {
  const planned = [`try-it-now-closed-${deployment}`, `try-it-now-egress-${deployment}`];
  return networks.filter((name) => !planned.includes(name)).map((name) => `the network ${name} is in no plan`);
}

function twice(what: string, all: readonly (string | number)[]): string[] {
  return all.filter((one, at) => all.indexOf(one) !== at).map((one) => `the ${what} ${one} is recorded twice`);
}

interface EngineContainer {
  readonly Names: readonly string[];
  readonly State: string;
  readonly Ports?: readonly { readonly PublicPort?: number; readonly IP?: string }[] | null;
}

async function listContainers(of: AuditTarget): Promise<Container[]> {
  return (await Promise.all(nodesOf(of).map((node) => containersOf(node, of.deployment)))).flat();
}

async function containersOf({ name: node, engine }: AuditedNode, deployment: string): Promise<Container[]> {
  if (engine.kind === 'simulated') {
    const listed = (await ask({
      socketPath: engine.socketPath,
      path: `/containers?deployment=${deployment}&node=${node}`,
    })) as readonly { readonly name: string; readonly running: boolean }[];
    return listed.map(({ name, running }) => ({ name, running, port: undefined }));
  }
  const filters = encodeURIComponent(JSON.stringify({ label: [`try-it-now.deployment=${deployment}`] }));
  const found = (await ask({
    socketPath: engine.socketPath,
    path: `/containers/json?all=true&filters=${filters}`,
  })) as readonly EngineContainer[];
  return found.map(({ Names, State, Ports }) => ({
    name: (Names[0] ?? '').replace(/^\//, ''),
    running: State === 'running',
    port: Ports?.[0]?.PublicPort ?? 0,
  }));
}

async function listNetworks({ engine, deployment }: AuditTarget): Promise<string[]> {
  if (engine.kind === 'simulated') return [];
  const networks = (await ask({ socketPath: engine.socketPath, path: '/networks' })) as readonly {
    readonly Name: string;
    readonly Labels?: Readonly<Record<string, string>>;
  }[];
  return networks.filter(({ Labels }) => Labels?.['try-it-now.deployment'] === deployment).map(({ Name }) => Name);
}

/** Those of instances, and whatever else of the deployment's but its seeds. */
async function listDatabases({ mariadb, deployment }: AuditTarget): Promise<{ names: string[]; users: string[] }> {
  if (mariadb === undefined) return { names: [], users: [] };
  const prefix = `tin_${createHash('sha256').update(`deployment ${deployment}`).digest('hex').slice(0, 8)}_`;
  const connection = await createConnection(mariadb);
  try {
    const ours = async (sql: string): Promise<string[]> =>
      (await connection.query<{ name: string }[]>(sql))
        .map(({ name }) => name)
        .filter((name) => name.startsWith(prefix));
    const names = await ours('SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA');
    const users = await ours('SELECT User AS name FROM mysql.global_priv');
    return { names: names.filter((name) => !name.startsWith(`${prefix}s_`)), users };
  } finally {
    await connection.end();
  }
}

async function listTasks({ natsUrl }: AuditTarget): Promise<string[]> {
  const nats = await connectNats({ servers: new URL(natsUrl).host });
  try {
    const manager = await jetstreamManager(nats);
    const count = async (stream: string): Promise<number> => (await manager.streams.info(stream)).state.messages;
    const [waiting, dead] = [await count('PROVISIONING'), await count('PROVISIONING_DEAD')];
    return [
      ...(waiting === 0 ? [] : [`${waiting} tasks are in the queue`]),
      ...(dead === 0 ? [] : [`${dead} tasks are dead`]),
    ];
  } finally {
    await nats.close();
  }
}

async function caddyServers({ caddyAdminUrl, proxyPort }: AuditTarget): Promise<string[]> {
  const { hostname, port } = new URL(caddyAdminUrl);
  const servers = (await ask({ host: hostname, port: Number(port), path: '/config/apps/http/servers' })) as Readonly<
    Record<string, { readonly listen: readonly string[] }>
  > | null;
  const listens = Object.entries(servers ?? {}).map(([name, { listen }]) => `${name} on ${listen.join(', ')}`);
  return listens.join('; ') === `demo on :${proxyPort}`
    ? []
    : [`Caddy serves "${listens.join('; ')}" instead of demo on :${proxyPort}`];
}

async function ask(where: {
  readonly socketPath?: string;
  readonly host?: string;
  readonly port?: number;
  readonly path: string;
}): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ ...where, agent: false }, (response) => {
      text(response)
        .then((body) => {
          if (response.statusCode === 200) resolve(JSON.parse(body));
          else reject(new Error(`${where.path} answered ${response.statusCode ?? 0}: ${body}`));
        })
        .catch(reject);
    });
    request.once('error', reject);
    request.end();
  });
}
