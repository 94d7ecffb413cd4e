import { rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import type { Config } from '../config/config.ts';
import { readTextFile } from '../config/environment.ts';
import { loadConfig } from '../config/load.ts';
import { ParseError, ipv4Block, listOf } from '../config/parsers.ts';
import { valkeyUrl } from '../config/valkey-url.ts';
import { TryItNowError } from '../domain/errors.ts';
import { FIRST_NODE } from '../domain/node.ts';
import { temporaryFolder } from '../lifecycle/temporary-folder.ts';
import { ADDRESS_SETTINGS, CARRIED_FILES, CARRIED_SECRETS, CARRIED_SETTINGS } from './carried-settings.ts';
import type { HostFiles } from './host-files.ts';
import type { JoinToken } from './join-token.ts';
import { addressTowards, ownAddresses } from './own-address.ts';
import { isLoopback, requireProxy } from './reachable-proxy.ts';
import { parseSettings, withSettings } from './settings-file.ts';

const HEADING =
  '# Settings of Try It Now on this host, written by `try-it-now fleet join`; docs/reference/config.md lists all ' +
  'there are.\n# One NAME=value a line, for systemd.';
const NAME_IT = 'give this one its own with --name (NODE_NAME= for make)';
const CATALOGUE = 'templates.yaml';
const PROXIES = listOf(ipv4Block);
/** Where the unit try-it-now-podman, which a worker's host has, listens. */
const PODMAN_SOCKET = '/run/try-it-now-podman/podman.sock';
/** Of an earlier login, or where Valkey was before. */
const REPLACED = [
  'VALKEY_ADDR',
  'VALKEY_USER',
  'VALKEY_SENTINEL_USER',
  'NATS_USER',
  ...CARRIED_FILES,
  ...CARRIED_SECRETS.flatMap((name) => [name, `${name}_FILE`]),
] as const;

/** What Valkey and NATS of the fleet say to this host. */
export interface FleetView {
  /** Where Valkey sees this host. */
  readonly seenAs: string;
  /** Node → where it is, and whether it has said of late that it lives. */
  readonly nodes: ReadonlyMap<string, { readonly address: string; readonly alive: boolean }>;
}

export interface JoinOptions {
  readonly token: JoinToken;
  readonly files: HostFiles;
  /** Of the node; undefined: the host's own name. */
  readonly name: string | undefined;
  /** Undefined: one that was given before, else the one with which this host reaches Valkey. */
  readonly address: string | undefined;
  /** Throws, naming who, where Valkey or NATS does not let us in. */
  readonly look: (config: Config) => Promise<FleetView>;
}

export interface Joined {
  readonly name: string;
  readonly address: string;
  /** Nobody gave the address now, and it is not the one towards Valkey: somebody gave it before. */
  readonly isAsBefore: boolean;
  /** Blocks of those who reach its instances beside itself, and of those who did before. */
  readonly letsIn: readonly string[];
  readonly noLongerLetsIn: readonly string[];
}

/** Which node it is, and where. */
type Place = Pick<Joined, 'name' | 'address' | 'isAsBefore'>;

/** A file that comes with the token, and the setting that names it. */
interface Carried {
  readonly setting: string;
  readonly path: string;
  readonly text: string;
}

/**
 * Writes this host's settings, so that a worker on it belongs to the fleet. Everything is tried before anything is
 * written: what throws has changed nothing.
 */
export async function joinFleet(options: JoinOptions): Promise<Joined> {
  const { token, files } = options;
  if ((await files.readSecret('fleet-ca.key')) !== undefined)
    throw refused('This host is the first of a fleet itself, whose Valkey and NATS other hosts use');
  const before = await files.readSettings();
  const kept = parseSettings(before ?? '');
  const own = await placeOf(options, kept);
  const carried = carriedFiles(token, files);
  const after = withSettings(before ?? HEADING, changesOf(token, carried, own, kept));
  await tryOut(after, carried, { own, kept }, options);
  for (const { path, text } of carried)
    if (path === files.path(CATALOGUE)) await files.write(CATALOGUE, text);
    else await files.writeSecret(basename(path), text);
  await files.writeSettings(after);
  const letsIn = blocksOf(token.settings['PROXY_ADDRESSES']);
  const noLongerLetsIn = blocksOf(kept.get('PROXY_ADDRESSES')).filter((block) => !letsIn.includes(block));
  return { ...own, letsIn, noLongerLetsIn };
}

function blocksOf(proxyAddresses = ''): readonly string[] {
  const found = PROXIES.parse(proxyAddresses);
  return found instanceof ParseError ? [] : found;
}

async function placeOf({ token, name, address }: JoinOptions, kept: ReadonlyMap<string, string>): Promise<Place> {
  const valkey = valkeyUrl.parse(token.settings['VALKEY_URL'] ?? '');
  if (valkey instanceof ParseError) throw refused('The join token does not say where Valkey is');
  const before = address === undefined ? await givenBefore(kept) : undefined;
  const found = address ?? before ?? (await addressTowards(valkey.endpoints[0].host));
  if (!ownAddresses().includes(found))
    throw refused(`${found} is no address of this host, which has ${ownAddresses().join(', ')}`);
  return { name: name ?? kept.get('NODE_NAME') ?? ownName(), address: found, isAsBefore: before !== undefined };
}

/**
 * The address that the settings have on purpose, as where the proxies are on another network than Valkey: it is this
 * host's, and not the one with which it reached Valkey before, which may have moved since.
 */
async function givenBefore(kept: ReadonlyMap<string, string>): Promise<string | undefined> {
  const address = kept.get('NODE_ADDRESS');
  if (address === undefined || isLoopback(address) || !ownAddresses().includes(address)) return undefined;
  const valkey = valkeyUrl.parse(kept.get('VALKEY_URL') ?? '');
  if (valkey instanceof ParseError) return undefined;
  // Without a way there nobody can say.
  const towards = await addressTowards(valkey.endpoints[0].host).catch(() => address);
  return towards === address ? undefined : address;
}

/** As a node may be called. */
function ownName(): string {
  const [first = ''] = hostname().toLowerCase().split('.');
  return first.replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '');
}

function carriedFiles(token: JoinToken, files: HostFiles): readonly Carried[] {
  const nameOf = (setting: string): string =>
    setting
      .toLowerCase()
      .replace(/_file$/, '')
      .replaceAll('_', '-');
  return [
    ...CARRIED_SECRETS.flatMap((name) => {
      const text = token.secrets[name];
      return text === undefined ? [] : [{ setting: `${name}_FILE`, path: files.secretPath(nameOf(name)), text }];
    }),
    ...CARRIED_FILES.flatMap((name) => {
      const text = token.files[name];
      const path = name === 'TEMPLATES_FILE' ? files.path(CATALOGUE) : files.secretPath(nameOf(name));
      return text === undefined ? [] : [{ setting: name, path, text }];
    }),
  ];
}

function changesOf(
  token: JoinToken,
  carried: readonly Carried[],
  own: Place,
  kept: ReadonlyMap<string, string>,
): Map<string, string | undefined> {
  return new Map<string, string | undefined>([
    // Where another host has its own is not where this one does.
    ['PODMAN_SOCKET', kept.get('PODMAN_SOCKET') ?? PODMAN_SOCKET],
    ['NODE_NAME', own.name],
    ['NODE_ADDRESS', own.address],
    ...REPLACED.map((name) => [name, undefined] as const),
    ...[...ADDRESS_SETTINGS, ...CARRIED_SETTINGS].flatMap((name) => {
      const value = token.settings[name];
      return value === undefined ? [] : [[name, value] as const];
    }),
    ...carried.map(({ setting, path }) => [setting, path] as const),
  ]);
}

/** With the settings as they would be. */
async function tryOut(
  settings: string,
  carried: readonly Carried[],
  { own, kept }: { readonly own: Place; readonly kept: ReadonlyMap<string, string> },
  { address, look }: JoinOptions,
): Promise<void> {
  const { config } = loadConfig(Object.fromEntries(parseSettings(settings)), (path) => {
    return carried.find((file) => file.path === path)?.text ?? readTextFile(path);
  });
  const folder = await temporaryFolder('try-it-now-join-');
  try {
    const { seenAs, nodes } = await look({ ...config, nats: { ...config.nats, ...(await staged(carried, folder)) } });
    if (address === undefined && !own.isAsBefore && seenAs !== own.address)
      throw refused(
        `Valkey sees this host as ${seenAs}, and its own address towards Valkey is ${own.address}: something between ` +
          'them changes addresses. Say with --address (NODE_ADDRESS= for make) where the proxies reach this host',
      );
    requireOwnName(own, kept, nodes);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  await requireProxy(config.proxy.internalUrls);
}

/** A host that joined before has its name, whatever address it has now: what runs there is recorded by it. */
function requireOwnName(own: Place, kept: ReadonlyMap<string, string>, nodes: FleetView['nodes']): void {
  const { name, address } = own;
  const taken = nodes.get(name);
  if (name === FIRST_NODE) throw refused(`${name} is another host's name; ${NAME_IT}`);
  if (taken === undefined || taken.address === address) return;
  const wasHere = kept.get('NODE_NAME') === name && kept.get('NODE_ADDRESS') === taken.address;
  if (wasHere && !taken.alive) return;
  throw refused(
    wasHere
      ? `${name} is still at work at ${taken.address}, which was this host's address by its settings. If it is this ` +
          'host, stop its worker (`systemctl stop try-it-now-worker`), and join again a quarter of a minute later'
      : `${name} is another host's name (at ${taken.address}); ${NAME_IT}. If that host is gone for good, ` +
          `\`try-it-now nodes remove ${name} --force\` on the first host sets its name free`,
  );
}

/** NATS' files are read at each connection, so for the first one they have to be somewhere. */
async function staged(carried: readonly Carried[], folder: string): Promise<Partial<Config['nats']>> {
  const places = { NATS_CA_FILE: 'caFile', NATS_CERT_FILE: 'certFile', NATS_KEY_FILE: 'keyFile' } as const;
  const found = carried.flatMap(({ setting, text }) => {
    const key = { ...places, NATS_CREDS_FILE: 'credsFile' as const }[setting as keyof typeof places];
    return (key as string | undefined) === undefined ? [] : [{ key, path: join(folder, key), text }];
  });
  for (const { path, text } of found) await writeFile(path, text, { mode: 0o600 });
  return Object.fromEntries(found.map(({ key, path }) => [key, path]));
}

function refused(message: string): TryItNowError {
  return new TryItNowError('invalid_request', message);
}
