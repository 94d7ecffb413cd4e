import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { nkeys } from '@nats-io/transport-node';
import { ParseError } from '../config/parsers.ts';
import { valkeyUrl } from '../config/valkey-url.ts';
import { TryItNowError } from '../domain/errors.ts';
import { certify, fits, newAuthority, type KeyPair } from './certificates.ts';
import { replaceFile, type HostFiles } from './host-files.ts';
import { chosenAddress, ownAddresses } from './own-address.ts';
import { listenFor } from './proxy-listen.ts';
import { parseSettings, withSettings } from './settings-file.ts';
import { WORKER_SECRETS } from './worker-login.ts';

/** What is shipped in deploy/, beside src/ and dist/ alike. */
const SHIPPED = new URL('../../deploy/', import.meta.url);
const USER = 'try-it-now';
const AUTHORITY = { cert: 'fleet/ca.crt', key: 'fleet-ca.key' } as const;
const SERVER = { cert: 'fleet/server.crt', key: 'fleet-server.key' } as const;
const PASSWORD = 'valkey-password';
const SEED = 'nats-nkey-seed';
const DROP_IN = 'try-it-now-fleet.conf';
const DROP_INS = [
  ['try-it-now-valkey.service.d', 'fleet-valkey.conf'],
  ['try-it-now-nats.service.d', 'fleet-nats.conf'],
  ['try-it-now-discovery.service.d', 'discovery-valkey-password.conf'],
] as const;
const DEFAULT_PROXY = ':8000';

export interface OpenOptions {
  readonly files: HostFiles;
  /** Where systemd looks for what is changed about its units. */
  readonly unitsFolder: string;
  /** Of this host, on the network of the others; undefined: the only private one. */
  readonly address: string | undefined;
  readonly nowMs: number;
}

/**
 * Has Valkey and NATS of this host listen for others as well, by TLS and with logins of their own, and our own settings
 * say so. What was drawn before stays; nothing is started. Throws invalid_request, with nothing changed, where
 * this host is not one that `make install` made, or none of its addresses will do.
 */
export async function openToHosts({ files, unitsFolder, address: given, nowMs }: OpenOptions): Promise<string> {
  const [settings, valkey, nats] = await Promise.all([
    files.readSettings(),
    files.read('valkey.conf'),
    files.read('nats.conf'),
  ]);
  if (settings === undefined || valkey === undefined || nats === undefined)
    throw new TryItNowError(
      'invalid_request',
      `${files.folder} has not all of try-it-now.env, valkey.conf and nats.conf; run \`make install\` on this host ` +
        'first',
    );
  // Once it was opened, the address may change.
  if ((await files.readSecret(AUTHORITY.key)) === undefined) refuseOthers(parseSettings(settings));
  const address = chosenAddress(given);
  await writeCertificates(files, address, nowMs);
  const [password, worker] = [
    await secret(files, PASSWORD, drawPassword),
    await workerSecret(files, 'VALKEY_PASSWORD'),
  ];
  const [seed, workerSeed] = [await secret(files, SEED, drawSeed), await workerSecret(files, 'NATS_NKEY_SEED')];
  await writeConf(files, 'valkey', valkey, {
    ADDRESS: address,
    FOLDER: files.folder,
    PASSWORD: sha256(password),
    WORKER_PASSWORD: sha256(worker),
  });
  await writeConf(files, 'nats', nats, {
    ADDRESS: address,
    FOLDER: files.folder,
    NKEY: publicKey(seed),
    WORKER_NKEY: publicKey(workerSeed),
  });
  for (const [folder, name] of DROP_INS)
    await replaceFile(join(unitsFolder, folder, DROP_IN), await shipped(`systemd/${name}`), 0o644);
  // Last: until here the host's own programs go on as before.
  await files.writeSettings(withSettings(settings, ownSettings(files, parseSettings(settings), address)));
  return address;
}

/** Servers that somebody runs elsewhere are not ours to configure. */
function refuseOthers(settings: ReadonlyMap<string, string>): void {
  for (const name of ['VALKEY_URL', 'VALKEY_ADDR', 'NATS_URL']) {
    const hosts = (settings.get(name) ?? '')
      .split(',')
      .map((each) => each.replace(/^.*:\/\//, '').replace(/[:/].*$/, ''))
      .filter((host) => host !== '');
    if (!hosts.every((host) => host === 'localhost' || ownAddresses().includes(host)))
      throw new TryItNowError(
        'invalid_request',
        `${name} is ${settings.get(name) ?? ''}, so Valkey or NATS is not this host’s own; have that one let other ` +
          'hosts in, and run `try-it-now fleet join-token`',
      );
  }
}

async function writeCertificates(files: HostFiles, address: string, nowMs: number): Promise<void> {
  const authority = await pair(files, AUTHORITY);
  const kept = authority ?? (await newAuthority());
  const server = await pair(files, SERVER);
  const isFine = server !== undefined && authority !== undefined && fits(server.cert, kept.cert, address, nowMs);
  const certified = isFine ? server : await certify(kept, address);
  for (const [name, { cert, key }] of [
    [AUTHORITY, kept],
    [SERVER, certified],
  ] as const) {
    await files.writeSecret(name.key, key);
    await files.write(name.cert, cert);
  }
}

async function pair(files: HostFiles, name: typeof AUTHORITY | typeof SERVER): Promise<KeyPair | undefined> {
  const [cert, key] = await Promise.all([files.read(name.cert), files.readSecret(name.key)]);
  return cert === undefined || key === undefined ? undefined : { cert, key };
}

async function workerSecret(files: HostFiles, name: keyof typeof WORKER_SECRETS): Promise<string> {
  return secret(files, WORKER_SECRETS[name], name === 'VALKEY_PASSWORD' ? drawPassword : drawSeed);
}

async function secret(files: HostFiles, name: string, draw: () => string): Promise<string> {
  const kept = await files.readSecret(name);
  if (kept !== undefined) return kept.trim();
  const drawn = draw();
  await files.writeSecret(name, drawn);
  return drawn;
}

async function writeConf(
  files: HostFiles,
  server: 'valkey' | 'nats',
  text: string,
  values: Readonly<Record<string, string>>,
): Promise<void> {
  const filled = (await shipped(`fleet/${server}.conf`)).replace(/@([A-Z_]+)@/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`deploy/fleet/${server}.conf has an unknown @${name}@`);
    return value;
  });
  await files.write(`fleet/${server}.conf`, filled);
  // NATS looks from the folder of the file, Valkey from wherever it was started.
  const include = server === 'valkey' ? `include ${files.path('fleet/valkey.conf')}` : 'include "fleet/nats.conf"';
  if (!text.split('\n').includes(include)) await files.write(`${server}.conf`, `${text.trimEnd()}\n\n${include}\n`);
}

function ownSettings(
  files: HostFiles,
  before: ReadonlyMap<string, string>,
  address: string,
): Map<string, string | undefined> {
  const valkey = valkeyUrl.parse(before.get('VALKEY_URL') ?? '');
  const listen = listenFor(before.get('PROXY_LISTEN') ?? DEFAULT_PROXY, {
    address,
    before: valkey instanceof ParseError ? undefined : valkey.endpoints[0].host,
    own: ownAddresses(),
  });
  return new Map([
    ...['VALKEY_ADDR', 'VALKEY_PASSWORD', 'NATS_USER', 'NATS_PASSWORD', 'NATS_PASSWORD_FILE', 'NATS_TOKEN']
      .concat('NATS_TOKEN_FILE', 'NATS_NKEY_SEED', 'NATS_CREDS_FILE')
      .map((name) => [name, undefined] as const),
    ['VALKEY_URL', `valkeys://${address}:6379`],
    ['VALKEY_USER', USER],
    ['VALKEY_PASSWORD_FILE', files.secretPath(PASSWORD)],
    ['VALKEY_CA_FILE', files.path(AUTHORITY.cert)],
    ['NATS_URL', `tls://${address}:4222`],
    ['NATS_NKEY_SEED_FILE', files.secretPath(SEED)],
    ['NATS_CA_FILE', files.path(AUTHORITY.cert)],
    ['PROXY_LISTEN', listen],
  ]);
}

async function shipped(name: string): Promise<string> {
  return readFile(new URL(name, SHIPPED), 'utf8');
}

function drawPassword(): string {
  return randomBytes(24).toString('hex');
}

function drawSeed(): string {
  return Buffer.from(nkeys.createUser().getSeed()).toString('utf8');
}

function publicKey(seed: string): string {
  return nkeys.fromSeed(Buffer.from(seed)).getPublicKey();
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
