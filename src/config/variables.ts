import { CONTAINER_ENGINES, ENGINE_NAMES, STAND_IN } from '../runtime/engines.ts';
import { NO_ENGINE } from '../runtime/no-engine.ts';
import { PLACEMENT_STRATEGIES } from '../domain/placement.ts';
import { LOG_LEVELS } from '../telemetry/logger.ts';
import type { ContainerMode } from './config.ts';
import { CHECKPOINT_VARIABLES } from './checkpoint-variables.ts';
import { CONTAINER_HOST_VARIABLES } from './container-host-variables.ts';
import { DATABASE_VARIABLES } from './database-variables.ts';
import { limitVariables } from './limit-variables.ts';
import {
  apiKey,
  bool,
  decimal,
  domainName,
  duration,
  integer,
  ipOrBlock,
  ipPort,
  ipv4,
  ipv4Block,
  listOf,
  listenAddresses,
  listenHost,
  matching,
  oneOf,
  path,
  siteHost,
  socketOrUrl,
  webOrigin,
  url,
} from './parsers.ts';
import { OPERATOR_VARIABLES } from './operator-variables.ts';
import { absolutePath } from './paths.ts';
import { STATE_VARIABLES } from './state-variables.ts';
import { TRACE_VARIABLES } from './trace-variables.ts';
import { group, type Defaulted, type Variable } from './variable.ts';

const pool = group('Pool');
const containers = group('Containers');
const addresses = group('Public addresses and proxy');
const http = group('HTTP server');
const funnel = group('Funnel and webhooks');
const visitorPages = group('Pages for visitors');
const host = group('Process and host');

const CONTAINER_MODES: readonly ContainerMode[] = ['auto', ...ENGINE_NAMES, NO_ENGINE.name];
const AUTO_TAKES = CONTAINER_ENGINES.map(({ title }, index) =>
  index === 0 ? `${title} if it answers` : `else ${title}`,
).join(', ');

export const templateName = matching(
  'name',
  /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/,
  '1 to 32 of a-z, 0-9 and -, not starting or ending with -, such as hello',
);
export const imageName = matching(
  'image',
  /^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,254}$/,
  'an image name, such as localhost/try-it-now/hello:latest',
);
export const nodeLabel = matching(
  'label',
  /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/,
  '1 to 32 of a-z, 0-9 and -, not starting or ending with -, such as gpu',
);
export const poolTarget = integer(0, 10_000, 3);
export const poolMax = integer(1, 10_000, 20);
export const share = decimal(0, 1, 0.5);
export const ttl = duration('1s', '30d', '30m');
export const maxAge = duration('1s', '365d', '24h');
export const port = integer(1, 65_535, 8080);

export const VARIABLES = {
  POOL_TARGET_SIZE: pool.required(
    poolTarget,
    '3',
    'How many instances stand ready, per template that does not say otherwise.',
  ),
  POOL_MAX_SIZE: pool.required(
    poolMax,
    '20',
    'How many instances may exist at once (ready, handed out, starting and leaving), per template that does ' +
      'not say otherwise.',
  ),
  POOL_REPLENISH_THRESHOLD: pool.required(
    share,
    '0',
    'The share of the target that may be missing before a refill starts. 0 refills as soon as one is ' +
      'missing; 0.5 waits until half are gone.',
  ),
  POOL_REPLENISH_INTERVAL: pool.required(
    duration('100ms', '1h', '10s'),
    '10s',
    'How often the pools are checked. Each hand-over starts a refill at once, whatever this is set to.',
  ),
  POOL_HEALTH_INTERVAL: pool.required(
    duration('1s', '1h', '15s'),
    '15s',
    'How often every ready instance is checked, 50 a second on a node, fewer while visitors keep it busy. One that ' +
      'fails two checks in a row is replaced.',
  ),
  POOL_DEFAULT_TTL: pool.required(
    ttl,
    '30m',
    'How long a visitor has an instance, per template that does not say otherwise.',
  ),
  POOL_MAX_TTL: pool.required(
    ttl,
    '2h',
    'The longest stay after extensions, counted from the hand-over, per template that does not say otherwise.',
  ),
  POOL_MAX_AGE: pool.required(
    maxAge,
    '24h',
    'The whole life of an instance, counted from when it was ready. Ready instances that have less than one ' +
      'visit left are replaced.',
  ),
  POOL_OVERRIDES_TEMPLATES: pool.required(
    bool,
    'false',
    'Whether the POOL_ variables above that are set win over what templates say for themselves. `up` says true for ' +
      'the examples, so that what is given on the command line counts.',
  ),
  ...limitVariables(pool),
  TEMPLATES_FILE: pool.optional(
    path,
    'not set: one template named default, made from CONTAINER_IMAGE and CONTAINER_PORT',
    'The YAML catalogue of the apps on offer; see [templates](../templates.md).',
  ),

  CONTAINER_MODE: containers.required(
    oneOf(CONTAINER_MODES),
    'auto',
    `The engine that runs the instances. auto takes ${AUTO_TAKES}, else ${STAND_IN.name}, which runs no ` +
      `containers and is for a look around; a worker ends in place of that. ${NO_ENGINE.name} is for ` +
      'a server that holds no instances itself: workers on other hosts do; see ' +
      '[fleet.md](../fleet.md#a-server-without-an-engine).',
  ),
  CONTAINER_IMAGE: containers.required(
    imageName,
    'localhost/try-it-now/hello:latest',
    'The image of the template named default. Not used with TEMPLATES_FILE.',
  ),
  CONTAINER_PORT: containers.required(
    port,
    '3000',
    'The TCP port on which the app listens inside the container. Not used with TEMPLATES_FILE.',
  ),
  ...CONTAINER_HOST_VARIABLES,

  ...CHECKPOINT_VARIABLES,

  REGISTRY_AUTH_FILE: containers.optional(
    absolutePath('/etc/try-it-now/auth.json'),
    'none: images are fetched as anybody may',
    'The file with the credentials of registries, as `podman login` and `docker login` write it (auth.json). Read at ' +
      'each fetch. A login that a credential helper keeps (`credsStore`) is not in it: `podman login --authfile` ' +
      'writes one. Units of systemd see nothing below /root and /home.',
  ),

  ...DATABASE_VARIABLES,

  BASE_DOMAIN: addresses.required(
    domainName,
    'localhost',
    'Instances are reached at <label>.<this domain>. Point *.<this domain> at the proxy; localhost needs no DNS.',
  ),
  PROXY_LISTEN: addresses.required(
    listenAddresses,
    ':8000',
    'Where Caddy listens for the instances’ visitors; several addresses, of one port, stand with commas between.',
  ),
  PROXY_INTERNAL_URL: addresses.optional(
    listOf(url(['http', 'https'], 'http://127.0.0.1:8000'), 1),
    'the first host (127.0.0.1 when it is every address) and the port of PROXY_LISTEN',
    'Where this host reaches the proxy, to check and warm up each instance the way a visitor will. Of several, with ' +
      'commas between, the first that answers is used.',
  ),
  PROXY_RESPONSE_TIMEOUT: addresses.required(
    duration('1s', '1h', '90s'),
    '90s',
    'How long an app may take from the end of a request to the first line of its answer; then its visitor gets a ' +
      'page that says so. Answers that have begun, such as downloads and event streams, take as long as they like.',
  ),
  PUBLIC_SCHEME: addresses.required(
    oneOf(['http', 'https']),
    'http',
    'The scheme in the addresses given to visitors; https where TLS ends in front of the proxy.',
  ),
  PUBLIC_PORT: addresses.optional(
    port,
    'the port of PROXY_LISTEN',
    'The port in the addresses given to visitors. 80 with http and 443 with https are left out of them.',
  ),
  PUBLIC_URL: addresses.optional(
    url(['http', 'https'], 'https://try.example.org'),
    'http://localhost with SERVER_PORT',
    'Where people find the start page.',
  ),
  CADDY_ADMIN_URL: addresses.required(
    socketOrUrl,
    'http://127.0.0.1:2019',
    'Caddy’s admin API: an address, or a socket as unix:///run/caddy/admin.sock. Whoever reaches it has Caddy do ' +
      'anything, so a socket, which only some may open, is better than a port, which every user of the host reaches.',
  ),
  DISCOVERY_ADDR: addresses.required(
    ipPort,
    '127.0.0.1:15353',
    'The UDP address at which the discovery process tells Caddy, by DNS, where instances are.',
  ),
  DISCOVERY_METRICS_ADDR: addresses.required(
    ipPort,
    '127.0.0.1:15354',
    'Where the discovery process serves its own /metrics, and tells Caddy whether a name is live (/ask).',
  ),
  DISCOVERY_SNAPSHOT_FILE: addresses.optional(
    path,
    'none',
    'Where the discovery process keeps the names it knows, so that a restart while Valkey is unavailable still knows ' +
      'them. Its folder must be writable.',
  ),

  ...STATE_VARIABLES,

  SERVER_HOST: http.required(listenHost, '127.0.0.1', 'The address the API and the start page listen on.'),
  SERVER_PORT: http.required(port, '8080', 'Their port.'),
  WORKER_METRICS_ADDR: http.required(
    ipPort,
    '127.0.0.1:15355',
    'Where `try-it-now worker` serves its own /metrics, /health and /ready; a server has them at SERVER_PORT.',
  ),
  API_KEY: http.secret(
    listOf(apiKey, 1),
    'not set: the API is open',
    'The key that callers of the API send in X-API-Key. Several with commas between, so that one can be ' +
      'replaced without a gap.',
  ),
  TRUSTED_PROXIES: http.required(
    listOf(ipOrBlock),
    '',
    'The addresses or CIDR blocks, with commas between, of the proxies whose X-Forwarded-For is believed. ' +
      'Without them, everybody behind such a proxy counts as one client.',
  ),

  ALLOWED_ORIGINS: http.required(
    listOf(webOrigin),
    '',
    'The sites, as origins with commas between, whose pages may offer instances: their scripts may call the API, ' +
      'their forms may start a visit and their frames may show it. A template may name others in `allowed_origins`. ' +
      'Without any, nothing of another site is taken.',
  ),
  FUNNEL_SITES: funnel.required(
    listOf(siteHost),
    '',
    'The sites, as hosts with commas between, that clicks are counted for one by one when their pages link or call ' +
      'the API; those of ALLOWED_ORIGINS are anyway. All others are counted together.',
  ),
  WEBHOOKS_FILE: funnel.optional(
    path,
    'none: nobody is told',
    'The YAML list of those who are told what happens in visits; see [webhooks](../webhooks.md).',
  ),

  CONNECT_AHEAD: visitorPages.required(
    bool,
    'true',
    'Whether the start page has browsers connect to connect.<BASE_DOMAIN> as soon as a visitor points at a button or ' +
      'focuses it, so that the click finds a connection. Only with PUBLIC_SCHEME=https, and of use only with a ' +
      'certificate for *.<BASE_DOMAIN>; set false where each instance has a certificate of its own.',
  ),
  LANGUAGES_DIR: visitorPages.optional(
    path,
    'none: English and German',
    'A folder with the texts of more languages, a file each, named by its tag (fr.json, pt-BR.json). One named ' +
      'en.json or de.json replaces texts of those that come along. See [branding](../branding.md).',
  ),
  BRANDING_FILE: visitorPages.optional(
    path,
    'none: the pages are as they come along',
    'The YAML file with your title, logo, colours and links; see [branding](../branding.md).',
  ),

  ...OPERATOR_VARIABLES,

  ...TRACE_VARIABLES,

  SHUTDOWN_GRACE: host.required(
    duration('0s', '10m', '10s'),
    '10s',
    'How long work that is under way may take when the process is told to stop.',
  ),
  SHUTDOWN_DRAIN: host.required(
    duration('0s', '5m', '0s'),
    '0s',
    'How long a server that is told to stop goes on as before while `/ready` already says no: for a load balancer, ' +
      'longer than it takes to notice.',
  ),
  LOG_LEVEL: host.required(oneOf(LOG_LEVELS), 'info', 'The least severe lines that are written.'),
  DEPLOYMENT: host.required(
    matching(
      'name',
      /^[a-z][a-z0-9-]{0,30}[a-z0-9]$/,
      '2 to 32 of a-z, 0-9 and -, starting with a letter, such as try-it-now',
    ),
    'try-it-now',
    'Marks every container and network this deployment makes. Two deployments on one host need two names, ' +
      'two Valkeys and two port ranges.',
  ),
  NODE_NAME: host.required(
    matching('name', /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, 'a DNS label of a-z, 0-9 and -, such as node0'),
    'node0',
    'The name of this host among several.',
  ),
  NODE_ADDRESS: host.required(
    ipv4,
    '127.0.0.1',
    'The IPv4 address of this host that its instances are published on, and where proxies reach them: the loopback ' +
      'address where proxy and instances share a host, else one of a network that only your own hosts are on.',
  ),
  PROXY_ADDRESSES: host.required(
    listOf(ipv4Block),
    '',
    'The IPv4 addresses or CIDR blocks, with commas between, of the other hosts where proxies and servers run: who ' +
      'reaches the instances of this host, beside itself. Everybody else is kept from them. On a server without an ' +
      'engine: what hosts that join it are to let in, in place of its own address.',
  ),
  NODE_LABELS: host.required(
    listOf(nodeLabel),
    '',
    'What this host has that others lack, with commas between, such as `gpu,eu`. A template that names labels in ' +
      '`nodes` is made only where all of them are.',
  ),
  NODE_CAPACITY: host.optional(
    integer(1, 100_000, 40),
    'as many as it has ports',
    'The most instances that this host holds at once; what a pool wants beyond that is made on other hosts.',
  ),
  PLACEMENT: host.required(
    oneOf(PLACEMENT_STRATEGIES),
    'spread',
    'How the server shares new instances among hosts: `spread` gives the next one to the host with the largest share ' +
      'free, `pack` fills one host before the next.',
  ),
} as const satisfies Record<string, Variable<unknown>>;

export type VariableName = keyof typeof VARIABLES;
type ValueOf<V> = V extends Defaulted<infer T> ? T : V extends Variable<infer T> ? T | undefined : never;
export type Values = { readonly [Name in VariableName]: ValueOf<(typeof VARIABLES)[Name]> };

export const VARIABLE_NAMES = Object.keys(VARIABLES) as VariableName[];
