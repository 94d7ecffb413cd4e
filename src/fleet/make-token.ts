import { readFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import type { Config } from '../config/config.ts';
import { readEnvironment, readTextFile, type Environment } from '../config/environment.ts';
import { loadConfig } from '../config/load.ts';
import { TryItNowError } from '../domain/errors.ts';
import { CARRIED_FILES, CARRIED_SECRETS, CARRIED_SETTINGS } from './carried-settings.ts';
import type { HostFiles } from './host-files.ts';
import type { JoinToken } from './join-token.ts';
import { NO_ENGINE } from '../runtime/no-engine.ts';
import { addressTowards } from './own-address.ts';
import { isLoopback, reachableProxies } from './reachable-proxy.ts';
import { WORKER_SECRETS, WORKER_USER } from './worker-login.ts';

export interface MakeTokenOptions {
  readonly env: Environment;
  readonly files: HostFiles;
  readonly program: string;
  readonly nowMs: number;
  readonly lifeMs: number;
  /** Throws unless Valkey and NATS let this host in with these settings. */
  readonly verify: (config: Config) => Promise<unknown>;
}

/**
 * What a further host needs of the settings of this one. Throws invalid_request where no other host would reach
 * Valkey, NATS or the proxy, and what `verify` throws.
 */
export async function makeToken(options: MakeTokenOptions): Promise<JoinToken> {
  const { env, files, program, nowMs, lifeMs, verify } = options;
  const { config } = loadConfig(env);
  const addresses = await addressesFor(env, config);
  const login = await workerLogin(files);
  const { values } = readEnvironment(env, readTextFile);
  const secrets = Object.fromEntries(
    CARRIED_SECRETS.flatMap((name) => (values[name] === undefined ? [] : [[name, values[name]]])),
  );
  await verify(
    login === undefined
      ? config
      : {
          ...config,
          valkey: { ...config.valkey, user: WORKER_USER, password: login.VALKEY_PASSWORD },
          nats: { ...config.nats, nkeySeed: login.NATS_NKEY_SEED },
        },
  );
  return {
    v: 1,
    program,
    expiresAtMs: nowMs + lifeMs,
    settings: {
      ...settingsOf(env, config),
      ...addresses,
      ...(login === undefined ? {} : { VALKEY_USER: WORKER_USER }),
    },
    secrets: { ...secrets, ...login },
    files: Object.fromEntries(
      await Promise.all(
        CARRIED_FILES.flatMap((name) => {
          const file = values[name];
          return file === undefined ? [] : [readFile(file, 'utf8').then((text) => [name, text] as const)];
        }),
      ),
    ),
  };
}

/** What a server without an engine is told of engines: a worker takes the one that answers on its own host. */
const OF_ENGINES: readonly string[] = ['CONTAINER_MODE', 'CRIU_ENABLED'];

/** What belongs to the fleet, as it is given here. */
export function settingsOf(env: Environment, config: Config): Record<string, string> {
  const hasNoEngine = env['CONTAINER_MODE']?.trim() === NO_ENGINE.name;
  const given = CARRIED_SETTINGS.flatMap((name) => {
    const value = env[name]?.trim() ?? '';
    return value === '' || (hasNoEngine && OF_ENGINES.includes(name)) ? [] : [[name, value] as const];
  });
  const { scheme, port = scheme === 'https' ? 443 : 80 } = config.proxy.address;
  // Worked out, for its default is the port of PROXY_LISTEN, which is this host's.
  return { ...Object.fromEntries(given), PUBLIC_PORT: String(port) };
}

/** As `fleet init` drew it; undefined where Valkey and NATS are somebody else's, and all log in alike. */
async function workerLogin(files: HostFiles) {
  const [password, seed] = await Promise.all([
    files.readSecret(WORKER_SECRETS.VALKEY_PASSWORD),
    files.readSecret(WORKER_SECRETS.NATS_NKEY_SEED),
  ]);
  return password === undefined || seed === undefined
    ? undefined
    : { VALKEY_PASSWORD: password.trim(), NATS_NKEY_SEED: seed.trim() };
}

async function addressesFor(env: Environment, config: Config) {
  const { valkey, nats, proxy, node, containers } = config;
  const valkeys = valkey.sentinel?.endpoints ?? [valkey];
  const queues = nats.url.split(',').map((url) => new URL(url).hostname);
  for (const [what, hosts] of [
    ['Valkey', valkeys.map(({ host }) => host)],
    ['NATS', queues],
  ] as const)
    if (hosts.some(isLoopback))
      throw new TryItNowError(
        'invalid_request',
        `${what} is at ${hosts.join(', ')}, where no other host reaches it; run \`try-it-now fleet init\`, which has ` +
          'Valkey and NATS of this host listen on its private network',
      );
  const own = await addressTowards(valkeys[0]?.host ?? '');
  // As on Kubernetes: the address of this pod is soon another's, and may be translated on the way.
  const namesAll = containers.mode === NO_ENGINE.name && node.proxies.length > 0;
  const urls = await reachableProxies(proxy, own);
  // What is called by a name may be a balancer in front of them, whose address they do not come from.
  const proxies = urls.map((url) => new URL(url).hostname).filter((host) => isIPv4(host));
  return {
    VALKEY_URL: env['VALKEY_URL'] ?? `valkey://${valkey.host}:${valkey.port}`,
    NATS_URL: nats.url,
    PROXY_ADDRESSES: [...new Set(namesAll ? node.proxies : [own, ...proxies, ...node.proxies])].join(','),
    PROXY_INTERNAL_URL: urls.join(','),
  };
}
