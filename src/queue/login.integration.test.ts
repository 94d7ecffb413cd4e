import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nkeys } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Authority } from '../../test/support/certificates.ts';
import { operatorMode } from '../../test/support/nats-accounts.ts';
import { LogBook } from '../../test/support/queue.ts';
import { ChildServer } from '../launcher/child-server.ts';
import { freePort } from '../launcher/tcp-ports.ts';
import { Releasers } from '../lifecycle/releasers.ts';
import { connectQueue, type QueueConnectionOptions } from './connection.ts';

const log = new LogBook();
const releasers = new Releasers();
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'try-it-now-nats-'));
  releasers.push('folder', () => rm(dir, { recursive: true, force: true }));
});
afterAll(() => releasers.releaseAll(log));

/** Until the end of the file; returns its port. */
async function nats(config: object): Promise<number> {
  const port = await freePort();
  const file = join(dir, `${port}.conf`);
  const own = { listen: `127.0.0.1:${port}`, jetstream: { store_dir: join(dir, String(port)) } };
  await writeFile(file, JSON.stringify({ ...own, ...config }));
  const server = await ChildServer.start({
    name: 'NATS',
    command: 'nats-server',
    args: ['-c', file],
    saysUp: 'Server is ready',
  });
  releasers.push('NATS', () => server.stop());
  return port;
}

type Options = Omit<QueueConnectionOptions, 'log'>;

/** Returns what people are told of the login. */
async function accepted(options: Options): Promise<string> {
  const connection = await connectQueue({ ...options, log });
  await connection.close();
  return connection.login;
}

/** What is said, without the address. */
async function refusal(options: Options): Promise<string> {
  try {
    await accepted(options);
  } catch (error) {
    const { code, message } = error as { readonly code: string; readonly message: string };
    return message.replace(`NATS at ${options.url} `, `${code}: `);
  }
  throw new Error('the connection was made');
}

describe('a connection by TLS', () => {
  let authority: Authority;
  let port: number;
  const named = (): string => `tls://localhost:${port}`;
  const addressed = (): string => `tls://127.0.0.1:${port}`;

  const serving = async (names: string, days?: number, more: object = {}): Promise<number> => {
    const { certFile, keyFile } = await authority.certify(names, days);
    return nats({ tls: { cert_file: certFile, key_file: keyFile, ...more } });
  };

  beforeAll(async () => {
    authority = await Authority.create(dir);
    port = await serving('DNS:localhost,IP:127.0.0.1');
  });

  it('is made where the authority is known, by name and by address, and by nats:// with NATS_CA_FILE', async () => {
    const { caFile } = authority;
    for (const url of [named(), addressed(), `nats://127.0.0.1:${port}`]) await accepted({ url, caFile });
  });

  it('is refused to a server whose certificate is not to be trusted', async () => {
    const { certFile: another } = await authority.certify('DNS:another');
    expect(await refusal({ url: named() })).toMatch(
      /^queue_unavailable: shows a certificate that nobody we trust has signed \(\w+\); set NATS_CA_FILE to/,
    );
    expect(await refusal({ url: named(), caFile: another })).toMatch(/NATS_CA_FILE .*, it names another one$/);
    const late = await serving('DNS:localhost', -1);
    expect(await refusal({ url: `tls://localhost:${late}`, caFile: authority.caFile })).toMatch(
      /^queue_unavailable: shows a certificate whose time is not now \(CERT_HAS_EXPIRED\)/,
    );
  });

  it('is refused to a server with a certificate for somebody else, named or by its address', async () => {
    const { caFile } = authority;
    const elsewhere = await serving('DNS:nats.example.org');
    const mismatch = /^queue_unavailable: shows a certificate for DNS:nats\.example\.org; write one of those names in/;
    expect(await refusal({ url: `tls://localhost:${elsewhere}`, caFile })).toMatch(mismatch);
    expect(await refusal({ url: `tls://127.0.0.1:${elsewhere}`, caFile })).toMatch(mismatch);
    // The name that the client falls back to for an address.
    const local = await serving('DNS:localhost');
    expect(await refusal({ url: `tls://127.0.0.1:${local}`, caFile })).toMatch(/^queue_unavailable: shows a cert/);
  });

  it('is not made without TLS where TLS is wanted', async () => {
    const plain = await nats({});
    const offersNone =
      /^queue_unavailable: offers no TLS; start it with a certificate, or take tls:\/\/ out of NATS_URL/;
    expect(await refusal({ url: `tls://127.0.0.1:${plain}` })).toMatch(offersNone);
    expect(await refusal({ url: `nats://127.0.0.1:${plain}`, caFile: authority.caFile })).toMatch(offersNone);
  });

  it('shows our certificate to a server that asks for one', async () => {
    const { caFile } = authority;
    const asking = await serving('IP:127.0.0.1', 2, { ca_file: caFile, verify: true });
    const url = `tls://127.0.0.1:${asking}`;
    const { certFile, keyFile } = await authority.certify('DNS:worker');
    await accepted({ url, caFile, certFile, keyFile });
    expect(await refusal({ url, caFile })).toMatch(/handshake; .* set NATS_CERT_FILE and NATS_KEY_FILE$/);
    expect(await refusal({ url, caFile, certFile, keyFile: join(dir, 'ca.key') })).toMatch(
      /^queue_unavailable: cannot be met: NATS_CERT_FILE and NATS_KEY_FILE are no certificate and its key/,
    );
  });

  it('says which file cannot be read', async () => {
    const missing = join(dir, 'missing.pem');
    for (const [option, setting] of [
      ['caFile', 'NATS_CA_FILE'],
      ['certFile', 'NATS_CERT_FILE'],
      ['keyFile', 'NATS_KEY_FILE'],
      ['credsFile', 'NATS_CREDS_FILE'],
    ] as const)
      expect(await refusal({ url: named(), [option]: missing })).toMatch(
        new RegExp(`^${setting} names "${missing}", which cannot be read \\(ENOENT`),
      );
  });
});

describe('a login', () => {
  it('by a credentials file is read again for each connection', async () => {
    const { config, creds } = operatorMode();
    const url = `nats://127.0.0.1:${await nats(config)}`;
    const credsFile = join(dir, 'worker.creds');
    const holding = async (text: string): Promise<Options> => {
      await writeFile(credsFile, text);
      return { url, credsFile };
    };
    expect(await accepted(await holding(creds('tasks')))).toBe(`credentials of ${credsFile} (NATS_CREDS_FILE)`);
    expect(await refusal({ url })).toMatch(
      /^queue_unavailable: refuses the login; set NATS_USER and NATS_PASSWORD, NATS/,
    );
    expect(await refusal(await holding(operatorMode().creds('tasks')))).toBe(
      'queue_unavailable: refuses the login; check the file that NATS_CREDS_FILE names',
    );
    expect(await refusal(await holding(creds('tasks', 1_700_000_001)))).toMatch(
      /^queue_unavailable: refuses the login.*NATS_CREDS_FILE/,
    );
    expect(await refusal(await holding('nothing of that kind'))).toBe(
      'queue_unavailable: cannot be logged in to: check the file that NATS_CREDS_FILE names, ' +
        'which is not in its format',
    );
    expect(await refusal(await holding(creds('plain')))).toBe(
      'queue_unavailable: answers, but JetStream is off for the account of our login; switch it on there ' +
        '(`jetstream: enabled`)',
    );
  });

  it('by an nkey', async () => {
    const user = nkeys.createUser();
    const url = `nats://127.0.0.1:${await nats({ authorization: { users: [{ nkey: user.getPublicKey() }] } })}`;
    const seedOf = (pair: nkeys.KeyPair): string => new TextDecoder().decode(pair.getSeed());
    expect(await accepted({ url, nkeySeed: seedOf(user) })).toBe('an nkey (NATS_NKEY_SEED)');
    expect(await refusal({ url, nkeySeed: seedOf(nkeys.createUser()) })).toBe(
      'queue_unavailable: refuses the login; check NATS_NKEY_SEED',
    );
    expect(await refusal({ url, nkeySeed: 'nothing of that kind' })).toBe(
      'queue_unavailable: cannot be logged in to: check NATS_NKEY_SEED, which is not in its format',
    );
  });

  it('whose user may not do what we do is told which subject is missing', async () => {
    const user = { user: 'worker', password: 'secret' };
    const among = async (permissions: object): Promise<Options> => ({
      url: `nats://127.0.0.1:${await nats({ authorization: { users: [{ ...user, permissions }] } })}`,
      ...user,
    });
    expect(await refusal(await among({ publish: 'provisioning.>' }))).toMatch(
      /^queue_unavailable: lets us in, but not work: its user may not publish to \$JS\.API\.INFO; grant that/,
    );
    expect(await refusal(await among({ subscribe: 'provisioning.>' }))).toMatch(
      /^queue_unavailable: lets us in, but not work: its user may not subscribe to _INBOX\.\S+; grant that/,
    );
  });
});
