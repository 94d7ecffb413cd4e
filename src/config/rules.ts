/** Rules over more than one setting. Each message names every setting involved and what to change. */
import { DATABASE_ENGINES, DATABASE_SERVERS } from '../domain/database.ts';
import { mostInstances } from '../domain/preview-rules.ts';
import type { Template } from '../domain/template.ts';
import { RESTORING_ENGINES, WHO_RESTORES, findEngine } from '../runtime/engines.ts';
import type { FileReader } from './environment.ts';
import { natsProblems } from './nats-rules.ts';
import { oidcWarnings, operatorProblems } from './operator-rules.ts';
import { nodeAddressProblems } from './node-address-rules.ts';
import { publicAddressProblems, publicAddressWarnings, unreachableInstances } from './public-address-rules.ts';
import type { Values, VariableName } from './variables.ts';

/** A value with where it was said: a variable's name, or `pool.max (templates.yaml:12)`. */
export interface Setting<T> {
  readonly value: T;
  readonly source: string;
  /** As a person would write it. */
  readonly written: string;
  /** False when what was written there is wrong and this is only a stand-in: rules skip it. */
  readonly sound: boolean;
  /** A variable that was set, and is to count whatever a template says. */
  readonly wins?: boolean;
}

/** The settings of a pool that must fit each other, each from the environment or from the catalogue file. */
export interface PoolSettings {
  readonly target: Setting<number>;
  readonly max: Setting<number>;
  readonly defaultTtl: Setting<number>;
  readonly maxTtl: Setting<number>;
  readonly maxAge: Setting<number>;
}

function both(
  a: Setting<number>,
  b: Setting<number>,
  wrong: (a: number, b: number) => boolean,
  say: (a: string, b: string) => string,
): string[] {
  if (!a.sound || !b.sound || !wrong(a.value, b.value)) return [];
  return [say(`${a.source} is ${a.written}`, `${b.source} is ${b.written}`)];
}

const exceeds = (a: number, b: number): boolean => a > b;

/**
 * The same settings give the same messages, so that what the environment got wrong need not be
 * told for each template again.
 */
export function poolProblems({ target, max, defaultTtl, maxTtl, maxAge }: PoolSettings): string[] {
  return [
    ...both(
      target,
      max,
      exceeds,
      (a, b) => `${a} but ${b}: more would stand ready than may exist; lower the first or raise the second`,
    ),
    ...both(
      defaultTtl,
      maxTtl,
      exceeds,
      (a, b) => `${a} but ${b}: a visit would start longer than it may ever be; lower the first or raise the second`,
    ),
    ...both(
      maxTtl,
      maxAge,
      exceeds,
      (a, b) =>
        `${a} but ${b}: an instance would end before its visitor's time is up; lower the first or raise the second`,
    ),
    ...both(
      defaultTtl,
      maxAge,
      (ttl, age) => ttl * 2 > age,
      (a, b) =>
        `${a} but ${b}: ready instances would be replaced sooner than they can be used; ` +
        'make the second at least twice the first',
    ),
  ];
}

const LOCAL_HOSTS: readonly string[] = ['', '127.0.0.1', 'localhost', '::1', '[::1]', '0.0.0.0', '::'];
const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443, 'nats:': 4222, 'tls:': 4222 };

function endpoint(address: string): { readonly host: string; readonly port: number } {
  const { hostname, port, protocol } = new URL(address);
  return { host: hostname, port: port === '' ? (DEFAULT_PORTS[protocol] ?? 0) : Number(port) };
}

/** The TCP ports that this host's own servers listen on, as far as the configuration tells. */
function localPorts(values: Values): { readonly name: VariableName; readonly port: number }[] {
  const all = [
    { name: 'SERVER_PORT', host: values.SERVER_HOST, port: values.SERVER_PORT },
    { name: 'ADMIN_ADDR', ...values.ADMIN_ADDR },
    { name: 'PROXY_LISTEN', ...values.PROXY_LISTEN },
    ...(values.CADDY_ADMIN_URL.startsWith('unix:')
      ? []
      : [{ name: 'CADDY_ADMIN_URL' as const, ...endpoint(values.CADDY_ADMIN_URL) }]),
    ...(values.VALKEY_URL === undefined
      ? [{ name: 'VALKEY_ADDR' as const, ...values.VALKEY_ADDR }]
      : values.VALKEY_URL.endpoints.map((endpoint) => ({ name: 'VALKEY_URL' as const, ...endpoint }))),
    ...values.NATS_URL.split(',').map((one) => ({ name: 'NATS_URL' as const, ...endpoint(one) })),
  ] as const;
  return all.filter(({ host }) => LOCAL_HOSTS.includes(host)).map(({ name, port }) => ({ name, port }));
}

/** Problems between variables that have nothing to do with a template. `broken` ones are left out. */
export function environmentProblems(values: Values, broken: ReadonlySet<VariableName>): string[] {
  const problems: string[] = [];
  const sound = (...names: VariableName[]): boolean => !names.some((name) => broken.has(name));
  const { CONTAINER_PORT_RANGE_START: start, CONTAINER_PORT_RANGE_END: end } = values;
  const rangeIsSound = sound('CONTAINER_PORT_RANGE_START', 'CONTAINER_PORT_RANGE_END') && start < end;
  if (sound('CONTAINER_PORT_RANGE_START', 'CONTAINER_PORT_RANGE_END') && start >= end) {
    problems.push(
      `CONTAINER_PORT_RANGE_START is ${start} but CONTAINER_PORT_RANGE_END is ${end}: ` +
        'the start must be lower than the end',
    );
  }
  const ports = localPorts(values).filter(({ name }) => sound(name));
  for (const [index, { name, port }] of ports.entries()) {
    const other = ports.slice(index + 1).find((candidate) => candidate.port === port);
    if (other !== undefined)
      problems.push(`${name} and ${other.name} both use port ${port}; give one of them another port`);
    if (rangeIsSound && port >= start && port <= end) {
      problems.push(
        `${name} uses port ${port}, which is between CONTAINER_PORT_RANGE_START (${start}) and ` +
          `CONTAINER_PORT_RANGE_END (${end}); move the port or the range`,
      );
    }
  }
  if (
    sound('PUBLIC_SCHEME', 'PUBLIC_PORT', 'PROXY_LISTEN') &&
    values.PUBLIC_SCHEME === 'https' &&
    values.PUBLIC_PORT === undefined &&
    values.PROXY_LISTEN.port !== 443
  ) {
    problems.push(
      `PUBLIC_SCHEME is https but PROXY_LISTEN is ${values.PROXY_LISTEN.text}, where Caddy speaks plain HTTP; ` +
        'set PUBLIC_PORT to the port of your TLS end, such as PUBLIC_PORT=443',
    );
  }
  problems.push(
    ...publicAddressProblems(values, sound),
    ...natsProblems(values, sound),
    ...operatorProblems(values, sound),
  );
  if (sound('NODE_ADDRESS', 'PROXY_ADDRESSES', 'CONTAINER_MODE')) problems.push(...nodeAddressProblems(values));
  const { CRIU_ENABLED: checkpoints, CONTAINER_MODE: engine } = values;
  if (
    sound('CRIU_ENABLED', 'CONTAINER_MODE') &&
    checkpoints === 'on' &&
    engine !== 'auto' &&
    findEngine(engine)?.restoresCheckpoints !== true
  ) {
    problems.push(
      `CRIU_ENABLED is true but CONTAINER_MODE is ${engine}: ${WHO_RESTORES}; set ` +
        `${RESTORING_ENGINES.map(({ name }) => `CONTAINER_MODE=${name}`).join(' or ')}, or CRIU_ENABLED=auto to ` +
        'use them where they work',
    );
  }
  return problems;
}

/**
 * Every instance holds a port until it is gone, so a full house needs as many as all pools may hold; a host that says
 * what it holds of them needs no more than that.
 */
export function portShortage(values: Values, templates: readonly Template[]): string[] {
  const inPools = templates.reduce((sum, template) => sum + mostInstances(template), 0);
  const needed = Math.min(inPools, values.NODE_CAPACITY ?? Infinity);
  const { CONTAINER_PORT_RANGE_START: start, CONTAINER_PORT_RANGE_END: end } = values;
  if (start >= end || end - start + 1 >= needed) return [];
  const range = `CONTAINER_PORT_RANGE_START..END (${start} to ${end}) has ${end - start + 1} ports but`;
  if (needed < inPools)
    return [`${range} NODE_CAPACITY lets this host hold ${needed} instances; widen the range or lower NODE_CAPACITY`];
  return [
    `${range} the pools may hold ${needed} instances; widen the range, lower POOL_MAX_SIZE or the templates' ` +
      'pool.max (and previews.max), or set NODE_CAPACITY where further hosts hold the rest',
  ];
}

const LOOPBACK = /^(127\.|::1$|localhost$)/;

/** What will run, but probably not as meant. */
export function environmentWarnings(
  values: Values,
  explicit: ReadonlySet<VariableName>,
  readFile: FileReader,
): string[] {
  const warnings: string[] = [];
  const { RATE_LIMIT_HOURLY: hourly, RATE_LIMIT_DAILY: daily } = values;
  if (daily !== 0 && daily < hourly)
    warnings.push(`RATE_LIMIT_DAILY (${daily}) is below RATE_LIMIT_HOURLY (${hourly}), which therefore never counts`);
  if (!LOOPBACK.test(values.SERVER_HOST)) {
    const risks = [
      ...(values.API_KEY === undefined
        ? [`API_KEY is not set, so anyone who reaches port ${values.SERVER_PORT} may use the API`]
        : []),
      ...unreachableInstances(values),
    ];
    if (risks.length > 0)
      warnings.push(`SERVER_HOST (${values.SERVER_HOST}) lets other machines in and ${risks.join('. Also, ')}`);
  }
  if (!LOOPBACK.test(values.ADMIN_ADDR.host)) {
    warnings.push(
      `ADMIN_ADDR (${values.ADMIN_ADDR.host}) lets other machines reach the admin API, and operators' keys ` +
        'would travel in clear text; keep it on 127.0.0.1 and go through SSH or a TLS proxy',
    );
  }
  for (const entry of values.TRUSTED_PROXIES.filter((block) => block.endsWith('/0'))) {
    warnings.push(
      `TRUSTED_PROXIES has ${entry}: every client may then claim any address, and rate limits count for nothing`,
    );
  }
  for (const engine of DATABASE_ENGINES) {
    const { socket, user, password } = DATABASE_SERVERS[engine];
    for (const name of [user, password])
      if (values[socket] === undefined && explicit.has(name))
        warnings.push(`${name} is not used, because ${socket} is not set`);
  }
  for (const name of ['CONTAINER_IMAGE', 'CONTAINER_PORT'] as const) {
    if (values.TEMPLATES_FILE !== undefined && explicit.has(name))
      warnings.push(`${name} is not used, because TEMPLATES_FILE names the images and ports`);
  }
  return [
    ...warnings,
    ...oidcWarnings(values),
    ...publicAddressWarnings(values),
    ...ephemeralOverlap(values, readFile),
  ];
}

const EPHEMERAL_RANGE_FILE = '/proc/sys/net/ipv4/ip_local_port_range';

/** Any program's outgoing connection may hold such a port just when a container is to be published on it. */
function ephemeralOverlap(values: Values, readFile: FileReader): string[] {
  let text: string;
  try {
    text = readFile(EPHEMERAL_RANGE_FILE);
  } catch {
    return []; // Not Linux, or /proc is hidden: nothing to compare with.
  }
  const [low, high] = text.trim().split(/\s+/).map(Number);
  const { CONTAINER_PORT_RANGE_START: start, CONTAINER_PORT_RANGE_END: end } = values;
  if (low === undefined || high === undefined || !(start <= high && end >= low)) return [];
  return [
    `CONTAINER_PORT_RANGE_START..END (${start} to ${end}) overlaps the kernel's own range ${low} to ${high} ` +
      `(${EPHEMERAL_RANGE_FILE}): now and then a container will fail to start because its port is taken; ` +
      `choose a range below ${low}`,
  ];
}
