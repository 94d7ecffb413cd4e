import { resolve } from 'node:path';
import { describeError } from '../domain/errors.ts';
import { DATABASE_ENGINES, DATABASE_SERVERS } from '../domain/database.ts';
import type { PublicAddress } from '../domain/address.ts';
import type { Template } from '../domain/template.ts';
import type { Webhook } from '../domain/webhook.ts';
import { NO_NODE } from '../domain/node.ts';
import { ENGINES, type EngineSockets } from '../runtime/engines.ts';
import { NO_ENGINE } from '../runtime/no-engine.ts';
import type { Config } from './config.ts';
import {
  mismatch,
  readEnvironment,
  readTextFile,
  quote,
  unknownVariables,
  type Environment,
  type ParsedEnvironment,
  type FileReader,
} from './environment.ts';
import { readBranding } from './branding.ts';
import { oidc } from './operator-rules.ts';
import { databaseProblems } from './database-rules.ts';
import { capacityWarnings } from './host-capacity.ts';
import { invalidConfig } from './invalid-config.ts';
import { leadProblems } from './lead-section.ts';
import { readLanguages } from './languages.ts';
import { ParseError } from './parsers.ts';
import { archiveFile } from './paths.ts';
import { environmentProblems, environmentWarnings, poolProblems, portShortage, type Setting } from './rules.ts';
import { parseTemplates, templateOfImage, type TemplateDefaults } from './templates.ts';
import { readValkeySettings } from './valkey-settings.ts';
import { parseWebhooks, type ParsedWebhooks } from './webhooks.ts';
import { VARIABLES, type Values, type VariableName } from './variables.ts';

export interface LoadedConfig {
  readonly config: Config;
  /** What the templates were read from. */
  readonly templatesText: string;
  /** The variables that were given, for `up`, which launches the servers that were not. */
  readonly explicit: ReadonlySet<VariableName>;
  /** What will run, but probably not as meant; one sentence each, to be logged once. */
  readonly warnings: readonly string[];
}

/**
 * Reads everything that can be set. Throws one invalid_config that names every wrong setting and how to fix it
 * (also as `details.problems`); secrets are never in it. `serves`: for the server, which needs more to be there.
 */
export function loadConfig(
  env: Environment,
  readFile: FileReader = readTextFile,
  { serves = false }: { readonly serves?: boolean } = {},
): LoadedConfig {
  const parsed = readEnvironment(env, readFile);
  const { values, broken, explicit } = parsed;
  const catalogue = readCatalogue(parsed, env, readFile);
  const hooks = readWebhooks(parsed, env, readFile);
  const languages = readLanguages(values.LANGUAGES_DIR, readFile);
  const named = catalogue.problems.length > 0 ? undefined : catalogue.templates.map(({ name }) => name);
  const branding = readBranding(values.BRANDING_FILE, readFile, named);
  const valkey = readValkeySettings(parsed, readFile);
  const rangeIsSound = !broken.has('CONTAINER_PORT_RANGE_START') && !broken.has('CONTAINER_PORT_RANGE_END');
  const found = [
    ...parsed.problems,
    ...environmentProblems(values, broken),
    ...valkey.problems,
    ...databaseProblems(values, broken, catalogue.templates),
    ...checkpointPathProblems(parsed),
    ...catalogue.problems,
    ...hooks.problems,
    // Who hands nothing out need not know of webhooks.
    ...(serves && hooks.problems.length === 0 ? leadProblems(catalogue.templates, hooks.webhooks) : []),
    ...languages.problems,
    ...branding.problems,
  ];
  // Counted only once the pools themselves are right: their sizes are what is added up.
  if (catalogue.problems.length === 0 && rangeIsSound && !broken.has('POOL_MAX_SIZE'))
    found.push(...portShortage(values, catalogue.templates));
  const problems = [...new Set(found)];
  if (problems.length > 0) throw invalidConfig(problems, env);
  return {
    config: deepFreeze({
      ...assemble(values, withCheckpointPath(values, catalogue.templates), hooks.webhooks),
      valkey: valkey.access,
      ...tracing(values),
      presentation: { languages: languages.languages, branding: branding.branding },
    }),
    templatesText: catalogue.text,
    explicit,
    warnings: [
      ...unknownVariables(env),
      ...environmentWarnings(values, explicit, readFile),
      ...capacityWarnings(values, catalogue.templates, readFile),
      ...unusedCheckpointPath(values, catalogue.templates),
      ...languages.warnings,
      ...branding.warnings,
    ],
  };
}

/** Where checkpoints are off, a file that is gone does no harm. */
function checkpointPathProblems({ values, broken }: ParsedEnvironment): string[] {
  const { CHECKPOINT_PATH: file, CRIU_ENABLED: mode } = values;
  if (file === undefined || mode === 'off' || broken.has('CRIU_ENABLED')) return [];
  const parser = archiveFile(process.cwd(), 'must exist');
  const found = parser.parse(file);
  return found instanceof ParseError ? [mismatch('CHECKPOINT_PATH', file, parser, found)] : [];
}

function withCheckpointPath(
  { CHECKPOINT_PATH: file }: Values,
  [first, ...others]: readonly Template[],
): readonly Template[] {
  if (first === undefined) return [];
  if (file === undefined || first.checkpoint.file !== undefined) return [first, ...others];
  return [{ ...first, checkpoint: { ...first.checkpoint, file: resolve(file) } }, ...others];
}

function unusedCheckpointPath({ CHECKPOINT_PATH: file }: Values, [first]: readonly Template[]): string[] {
  if (file === undefined || first === undefined) return [];
  if (first.checkpoint.file !== undefined)
    return [`CHECKPOINT_PATH is not used, because the template ${first.name} names a checkpoint.file of its own`];
  return first.checkpoint.enabled
    ? []
    : [`CHECKPOINT_PATH is not used, because the template ${first.name} has checkpoint.enabled: false`];
}

function readCatalogue(
  { values, broken, explicit }: ParsedEnvironment,
  env: Environment,
  readFile: FileReader,
): { templates: readonly Template[]; text: string; problems: readonly string[] } {
  const setting = (
    name:
      | 'POOL_TARGET_SIZE'
      | 'POOL_MAX_SIZE'
      | 'POOL_REPLENISH_THRESHOLD'
      | 'POOL_DEFAULT_TTL'
      | 'POOL_MAX_TTL'
      | 'POOL_MAX_AGE',
  ): Setting<number> => {
    const given = env[name]?.trim();
    return {
      value: values[name],
      source: name,
      written: given === undefined || given === '' ? VARIABLES[name].default : given,
      sound: !broken.has(name),
      wins: values.POOL_OVERRIDES_TEMPLATES && explicit.has(name),
    };
  };
  const defaults: TemplateDefaults = {
    target: setting('POOL_TARGET_SIZE'),
    max: setting('POOL_MAX_SIZE'),
    replenishThreshold: setting('POOL_REPLENISH_THRESHOLD'),
    defaultTtl: setting('POOL_DEFAULT_TTL'),
    maxTtl: setting('POOL_MAX_TTL'),
    maxAge: setting('POOL_MAX_AGE'),
    allowedOrigins: values.ALLOWED_ORIGINS,
  };
  const problems = poolProblems(defaults);
  const { TEMPLATES_FILE: file } = values;
  if (file === undefined)
    return {
      templates: [templateOfImage(values.CONTAINER_IMAGE, values.CONTAINER_PORT, defaults)],
      text: `${values.CONTAINER_IMAGE} ${values.CONTAINER_PORT}`,
      problems,
    };
  let text: string;
  try {
    text = readFile(file);
  } catch (error) {
    return {
      templates: [],
      text: '',
      problems: [...problems, unreadable('TEMPLATES_FILE', file, error)],
    };
  }
  const parsed = parseTemplates(text, file, defaults, {
    databaseEngines: DATABASE_ENGINES.filter((engine) => {
      const { socket } = DATABASE_SERVERS[engine];
      // Where no instances are, workers' hosts have the databases.
      return values.CONTAINER_MODE === NO_ENGINE.name || values[socket] !== undefined || broken.has(socket);
    }),
    usesCheckpoints: values.CRIU_ENABLED !== 'off' && !broken.has('CRIU_ENABLED'),
  });
  return { templates: parsed.templates, text, problems: [...problems, ...parsed.problems] };
}

function unreadable(variable: VariableName, file: string, error: unknown): string {
  return (
    `${variable} is ${quote(file)}, which cannot be read (${describeError(error)}); ` +
    "fix the path or the file's permissions"
  );
}

function readWebhooks(
  { values: { WEBHOOKS_FILE: file } }: ParsedEnvironment,
  env: Environment,
  readFile: FileReader,
): ParsedWebhooks {
  if (file === undefined) return { webhooks: [], problems: [] };
  let text: string;
  try {
    text = readFile(file);
  } catch (error) {
    return { webhooks: [], problems: [unreadable('WEBHOOKS_FILE', file, error)] };
  }
  return parseWebhooks(text, file, env, readFile);
}

function publicAddress(values: Values): PublicAddress {
  const { PUBLIC_SCHEME: scheme, BASE_DOMAIN: baseDomain } = values;
  const port = values.PUBLIC_PORT ?? values.PROXY_LISTEN.port;
  return { scheme, baseDomain, port: port === (scheme === 'https' ? 443 : 80) ? undefined : port };
}

/** A listener on every address is reached over loopback, one on a single address only there. */
function internalUrls({ PROXY_INTERNAL_URL, PROXY_LISTEN: { host, port } }: Values): [string, ...string[]] {
  const reached = ['', '0.0.0.0', '::'].includes(host) ? '127.0.0.1' : host;
  const own = `http://${reached.includes(':') ? `[${reached}]` : reached}:${port}`;
  const [first = own, ...others] = PROXY_INTERNAL_URL ?? [];
  return [first, ...others];
}

function databases(values: Values): Config['databases'] {
  return Object.fromEntries(
    DATABASE_ENGINES.flatMap((engine) => {
      const { socket, url, user, password } = DATABASE_SERVERS[engine];
      const [socketPath, secret] = [values[socket], values[password]];
      return socketPath === undefined || secret === undefined
        ? []
        : [[engine, { socketPath, shared: values[url], user: values[user], password: secret }] as const];
    }),
  );
}

function server(values: Values): Config['server'] {
  return {
    host: values.SERVER_HOST,
    port: values.SERVER_PORT,
    publicUrl: values.PUBLIC_URL ?? `http://localhost:${values.SERVER_PORT}`,
    shutdownGraceMs: values.SHUTDOWN_GRACE,
    shutdownDrainMs: values.SHUTDOWN_DRAIN,
    apiKeys: values.API_KEY ?? [],
    trustedProxies: values.TRUSTED_PROXIES,
  };
}

function admin(values: Values): Config['admin'] {
  return {
    ...values.ADMIN_ADDR,
    operatorKeys: values.OPERATOR_KEYS ?? [],
    dashboardUrl: values.DASHBOARD_URL,
    sessionMs: values.DASHBOARD_SESSION,
    oidc: oidc(values),
  };
}

function limits(values: Values): Pick<Config, 'rateLimit' | 'heldLimit' | 'gate' | 'harm'> {
  return {
    rateLimit: { hourly: values.RATE_LIMIT_HOURLY, daily: values.RATE_LIMIT_DAILY },
    heldLimit: { perClient: values.HELD_LIMIT, perNetwork: values.HELD_LIMIT_NETWORK },
    harm: { rememberedMs: values.HARM_REMEMBERED, pauseMs: values.HARM_PAUSE },
    gate: { mode: values.GATE_MODE, maxNumber: values.GATE_DIFFICULTY },
  };
}

function node(values: Values): Config['node'] {
  return {
    name: values.CONTAINER_MODE === NO_ENGINE.name ? NO_NODE : values.NODE_NAME,
    address: values.NODE_ADDRESS,
    proxies: values.PROXY_ADDRESSES,
    labels: values.NODE_LABELS,
    capacity: values.NODE_CAPACITY,
  };
}

function tracing(values: Values): Pick<Config, 'tracing'> {
  const url = values.OTEL_EXPORTER_OTLP_ENDPOINT;
  const headers = Object.fromEntries(values.OTEL_EXPORTER_OTLP_HEADERS ?? []);
  const collector = url === undefined ? undefined : { url, headers };
  return { tracing: { collector, sample: values.TRACES_SAMPLE, parents: values.TRACES_PARENTS } };
}

function assemble(
  values: Values,
  templates: readonly Template[],
  webhooks: readonly Webhook[],
): Omit<Config, 'presentation' | 'valkey' | 'tracing'> {
  return {
    server: server(values),
    worker: { metrics: values.WORKER_METRICS_ADDR },
    admin: admin(values),
    funnel: { sites: values.FUNNEL_SITES },
    webhooks,
    log: { level: values.LOG_LEVEL },
    ...limits(values),
    deployment: values.DEPLOYMENT,
    node: node(values),
    placement: values.PLACEMENT,
    nats: {
      url: values.NATS_URL,
      user: values.NATS_USER,
      password: values.NATS_PASSWORD,
      token: values.NATS_TOKEN,
      nkeySeed: values.NATS_NKEY_SEED,
      credsFile: values.NATS_CREDS_FILE,
      caFile: values.NATS_CA_FILE,
      certFile: values.NATS_CERT_FILE,
      keyFile: values.NATS_KEY_FILE,
      replicas: values.QUEUE_REPLICAS,
    },
    proxy: {
      adminUrl: values.CADDY_ADMIN_URL,
      listen: values.PROXY_LISTEN.text,
      internalUrls: internalUrls(values),
      address: publicAddress(values),
      connectAhead: values.CONNECT_AHEAD,
      responseTimeoutMs: values.PROXY_RESPONSE_TIMEOUT,
      discovery: {
        ...values.DISCOVERY_ADDR,
        metrics: values.DISCOVERY_METRICS_ADDR,
        snapshotFile: values.DISCOVERY_SNAPSHOT_FILE,
      },
    },
    containers: {
      mode: values.CONTAINER_MODE,
      portRange: { start: values.CONTAINER_PORT_RANGE_START, end: values.CONTAINER_PORT_RANGE_END },
      registryAuthFile: values.REGISTRY_AUTH_FILE,
      portCoolDownMs: values.CONTAINER_PORT_COOLDOWN,
      diskReserveBytes: values.DISK_RESERVE,
      unusedCpu: {
        throttleAfterMs: values.UNUSED_CPU_THROTTLE_AFTER,
        endAfterMs: values.UNUSED_CPU_END_AFTER,
      },
      sockets: Object.fromEntries(ENGINES.map(({ name, socket }) => [name, values[socket.variable]])) as EngineSockets,
    },
    checkpoints: { mode: values.CRIU_ENABLED, dir: values.CHECKPOINT_DIR, share: values.CHECKPOINT_SHARE },
    databases: databases(values),
    pool: { replenishIntervalMs: values.POOL_REPLENISH_INTERVAL, healthIntervalMs: values.POOL_HEALTH_INTERVAL },
    queue: { workers: values.QUEUE_WORKER_COUNT, ackWaitMs: values.QUEUE_ACK_WAIT },
    templates,
  };
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
