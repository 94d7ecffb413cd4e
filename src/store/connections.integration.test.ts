import { Redis as Valkey } from 'iovalkey';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { MASTER, ValkeyFleet } from '../../test/support/valkey-fleet.ts';
import { Authority, type Certificate } from '../../test/support/certificates.ts';
import { eventually } from '../../test/support/eventually.ts';
import { silent } from '../../test/support/store.ts';
import { freePort } from '../launcher/tcp-ports.ts';
import { connectValkey, disconnectValkey, storeError } from './client.ts';
import { ValkeyHostnameSource } from './hostname-source.ts';
import { ACL_RULES } from './refusals.ts';
import { Scripts } from './scripts.ts';
import type { Endpoint, SentinelAccess, ValkeyAccess } from './valkey-access.ts';

/** One server for all: in clear text at `plain`, by TLS at `secure`, and a Sentinel for each way. */
let fleet: ValkeyFleet;
let authority: Authority;
let admin: Valkey;
let plain: Endpoint;
let secure: Endpoint;
let sentinel: Endpoint;
let secureSentinel: Endpoint;
let ca: string;
let own: Certificate;

beforeAll(async () => {
  fleet = await ValkeyFleet.create();
  authority = await Authority.create(fleet.dir);
  ca = await authority.ca();
  own = await authority.certify('IP:127.0.0.1,DNS:localhost');
  const tlsPort = await freePort();
  const tls = ['tls-cert-file', own.certFile, 'tls-key-file', own.keyFile, 'tls-ca-cert-file', authority.caFile];
  plain = await fleet.valkey([
    ...['--tls-port', String(tlsPort), '--tls-auth-clients', 'no'],
    ...tls.map((word, at) => (at % 2 === 0 ? `--${word}` : word)),
  ]);
  secure = { host: '127.0.0.1', port: tlsPort };
  admin = new Valkey(plain.port, plain.host);
  await admin.call('ACL', 'SETUSER', 'server', 'on', '>secret', ...ACL_RULES.split(' '));
  await admin.call('ACL', 'SETUSER', 'reader', 'on', '>secret', '~*', '+@read', '+@connection', '+info');
  sentinel = await fleet.sentinel(plain, ['requirepass sentinel-secret']);
  secureSentinel = await fleet.sentinel(secure, [
    ...['port 0', 'tls-port PORT', 'tls-replication yes', 'tls-auth-clients no'],
    ...tls.flatMap((word, at) => (at % 2 === 0 ? [`${word} ${tls[at + 1] ?? ''}`] : [])),
  ]);
});

afterAll(async () => {
  admin.disconnect();
  await fleet[Symbol.asyncDispose]();
});

const answers = async (access: Partial<ValkeyAccess> & Endpoint): Promise<void> => {
  const client = await connectValkey({ password: undefined, ...access, log: silent });
  expect(await client.ping()).toBe('PONG');
  await disconnectValkey(client);
};

const refusal = async (access: Partial<ValkeyAccess> & Endpoint): Promise<string> => {
  const error: unknown = await answers(access).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'store_unavailable', status: 503 });
  return (error as Error).message;
};

const asked = (
  endpoints: readonly Endpoint[],
  more: Partial<SentinelAccess> = {},
): Endpoint & Partial<ValkeyAccess> => ({
  ...(endpoints[0] ?? plain),
  sentinel: { endpoints, master: MASTER, user: undefined, password: undefined, ...more },
});

it('logs in by TLS, with a user of its own and a certificate where one is asked for', async () => {
  await answers({ ...secure, tls: { ca } });
  await answers({ ...secure, host: 'localhost', tls: { ca }, user: 'server', password: 'secret' });
  await admin.config('SET', 'tls-auth-clients', 'yes');
  try {
    expect(await refusal({ ...secure, tls: { ca } })).toMatch(
      /wants a certificate of its clients.*VALKEY_CERT_FILE and VALKEY_KEY_FILE/s,
    );
    await answers({ ...secure, tls: { ca, cert: own.cert, key: own.key } });
  } finally {
    await admin.config('SET', 'tls-auth-clients', 'no');
  }
});

it('says which certificate is wrong in what way', async () => {
  expect(await refusal({ ...secure, tls: {} })).toMatch(
    new RegExp(`^Valkey at 127.0.0.1:${secure.port} shows a certificate that is not trusted.*set VALKEY_CA_FILE`),
  );
  const [other, old] = [await authority.certify('DNS:other.example.org'), await authority.certify('IP:127.0.0.1', -1)];
  const show = (shown: Certificate): Promise<unknown> =>
    admin.config('SET', 'tls-cert-file', shown.certFile, 'tls-key-file', shown.keyFile);
  try {
    await show(other);
    expect(await refusal({ ...secure, tls: { ca } })).toMatch(/shows a certificate for another name.*subjectAltName/);
    await show(old);
    expect(await refusal({ ...secure, tls: { ca } })).toMatch(/not valid at this time.*renew it/);
  } finally {
    await show(own);
  }
});

it('says when TLS is spoken where it is not, and the other way round', async () => {
  expect(await refusal({ ...plain, tls: { ca } })).toMatch(/does not speak TLS at this port.*valkey:\/\/ instead/);
  expect(await refusal(secure)).toMatch(/where it speaks TLS alone, begin VALKEY_URL with valkeys:\/\//);
});

it('says what is wrong with the login', async () => {
  for (const login of [
    { user: 'nobody', password: 'secret' },
    { user: 'server', password: 'another' },
  ])
    expect(await refusal({ ...plain, ...login })).toMatch(
      /refuses the password, or knows no such user.*VALKEY_PASSWORD.*VALKEY_USER/,
    );
});

it('names the rights that a user lacks', async () => {
  const client = await connectValkey({ ...plain, user: 'reader', password: 'secret', log: silent });
  try {
    await expect(new Scripts(client).load()).rejects.toMatchObject({
      code: 'store_unavailable',
      message: expect.stringMatching(/does not let this user .*script\|load.*acl setuser NAME /) as string,
    });
    expect(await new Scripts(client).load().catch(String)).toContain(ACL_RULES);
  } finally {
    client.disconnect();
  }
});

it('asks Sentinels for the primary, one of which is enough', async () => {
  const down = { host: '127.0.0.1', port: await freePort() };
  await answers(asked([down, sentinel], { password: 'sentinel-secret' }));
  await answers({ ...asked([secureSentinel]), tls: { ca }, user: 'server', password: 'secret' });
  const source = new ValkeyHostnameSource({
    ...asked([down, sentinel], { password: 'sentinel-secret' }),
    password: undefined,
    log: silent,
  });
  const stop = new AbortController();
  for await (const event of source.follow(stop.signal)) {
    expect(event.kind).toBe('snapshot');
    break;
  }
  source.close();
});

it('says of each Sentinel why it names no primary', async () => {
  const down = { host: '127.0.0.1', port: await freePort() };
  const message = await refusal(asked([down, plain, sentinel, secureSentinel]));
  expect(message).toMatch(/^Valkey cannot be reached: no Sentinel names the primary: /);
  expect(message).toContain(`127.0.0.1:${down.port} does not answer (connect ECONNREFUSED`);
  expect(message).toContain(`127.0.0.1:${plain.port} is no Sentinel`);
  expect(message).toMatch(new RegExp(`127.0.0.1:${sentinel.port} refuses the login.*VALKEY_SENTINEL_PASSWORD`));
  expect(message).toMatch(new RegExp(`127.0.0.1:${secureSentinel.port} does not answer .*valkeys\\+sentinel://`));
  expect(await refusal(asked([sentinel], { password: 'wrong' }))).toMatch(/refuses the login \(WRONGPASS/);
  expect(await refusal(asked([sentinel], { password: 'sentinel-secret', master: 'another' }))).toMatch(
    /knows none called another: name it in VALKEY_URL/,
  );
});

it('leaves a primary that has become a replica, and is back when the Sentinels name one', async () => {
  const client = await connectValkey({
    password: undefined,
    ...asked([sentinel], { password: 'sentinel-secret' }),
    log: silent,
  });
  try {
    await admin.replicaof('127.0.0.1', '1');
    const refused: unknown = await client.set('key', 'value').catch((error: unknown) => error);
    expect(storeError(refused)).toMatchObject({
      code: 'store_unavailable',
      message: expect.stringContaining('it is the replica of another') as string,
    });
    await eventually(() => expect(client.status).not.toBe('ready'));
    await admin.replicaof('NO', 'ONE');
    await eventually(async () => expect(await client.set('key', 'value')).toBe('OK'));
  } finally {
    await admin.replicaof('NO', 'ONE');
    client.disconnect();
  }
});
