import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { credsAuthenticator, errors, nkeyAuthenticator, type ConnectionOptions } from '@nats-io/transport-node';
import { TryItNowError, describeError } from '../domain/errors.ts';

/** Where NATS is, and who we are to it: one kind of login at most. */
export interface QueueLogin {
  /** `nats://host:port`, several separated by commas; `tls://` insists on TLS. User and password may stand in it. */
  readonly url: string;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly token?: string | undefined;
  readonly nkeySeed?: string | undefined;
  /** As `nsc generate creds` writes it; read at each connection, so that it may be renewed. */
  readonly credsFile?: string | undefined;
  /** Of the authorities whose certificates count, in place of the system's; insists on TLS. Read at each connection. */
  readonly caFile?: string | undefined;
  /** For servers that ask for a certificate of ours; likewise. */
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

interface Address {
  readonly servers: string[];
  readonly tls: boolean;
  readonly shown: string;
  readonly user: string | undefined;
  readonly pass: string | undefined;
}

/** Takes user and password out of the URL: the client does not read them there, and no message may show them. */
function readUrl(url: string): Address {
  const parts = url
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  const parsed = parts.map((part) => new URL(part.includes('://') ? part : `nats://${part}`));
  const first = parsed[0];
  if (first === undefined)
    throw new TryItNowError('invalid_config', 'NATS_URL is empty; set it to something like nats://127.0.0.1:4222');
  const secret = (text: string) => (text === '' ? undefined : decodeURIComponent(text));
  return {
    servers: parsed.map(({ host }) => host),
    tls: parsed.some(({ protocol }) => protocol === 'tls:'),
    shown: parsed.map(({ protocol, host }) => `${protocol}//${host}`).join(','),
    user: secret(first.username),
    pass: secret(first.password),
  };
}

function mustBeReadable(setting: string, file: string): void {
  try {
    readFileSync(file);
  } catch (error) {
    throw new TryItNowError(
      'invalid_config',
      `${setting} names ${JSON.stringify(file)}, which cannot be read (${describeError(error)}); ` +
        "fix the path or the file's permissions",
      { cause: error },
    );
  }
}

function authentication(address: Address, login: QueueLogin): Partial<ConnectionOptions> {
  const { user, password, token, nkeySeed, credsFile } = login;
  if (credsFile !== undefined)
    return { authenticator: (nonce) => credsAuthenticator(() => readFileSync(credsFile))(nonce) };
  if (nkeySeed !== undefined) return { authenticator: nkeyAuthenticator(Buffer.from(nkeySeed)) };
  if (token !== undefined) return { token };
  if (user !== undefined && password !== undefined) return { user, pass: password };
  if (address.user === undefined) return {};
  // A lone user name is how NATS URLs spell a token.
  return address.pass === undefined ? { token: address.user } : { user: address.user, pass: address.pass };
}

/** The settings that an operator looks at when the login is refused. */
function loginSettings({ credsFile, nkeySeed, token, user }: QueueLogin): string {
  if (credsFile !== undefined) return 'check the file that NATS_CREDS_FILE names';
  if (nkeySeed !== undefined) return 'check NATS_NKEY_SEED';
  if (token !== undefined) return 'check NATS_TOKEN';
  if (user !== undefined) return 'check NATS_USER and NATS_PASSWORD';
  return 'set NATS_USER and NATS_PASSWORD, NATS_CREDS_FILE, NATS_NKEY_SEED or NATS_TOKEN';
}

/** For people: which of them is used, and no secret. */
function kindOfLogin({ credsFile, nkeySeed, token, user, password }: QueueLogin, address: Address): string {
  if (credsFile !== undefined) return `credentials of ${credsFile} (NATS_CREDS_FILE)`;
  if (nkeySeed !== undefined) return 'an nkey (NATS_NKEY_SEED)';
  if (token !== undefined) return 'a token (NATS_TOKEN)';
  if (user !== undefined && password !== undefined) return `user ${user} and a password (NATS_USER)`;
  if (address.user === undefined) return 'none';
  return address.pass === undefined ? 'a token (NATS_URL)' : `user ${address.user} and a password (NATS_URL)`;
}

/** What the client needs of all this. */
export interface PreparedLogin {
  /** For people: how we log in; `none`, or without the secret. */
  readonly kind: string;
  /** Without user, password or token. */
  readonly shown: string;
  readonly options: Pick<ConnectionOptions, 'servers' | 'tls' | 'authenticator' | 'user' | 'pass' | 'token'>;
  /** Why a connection was not made, and what to change. */
  readonly explain: (error: unknown) => string;
}

/** Throws invalid_config for a file that cannot be read. */
export function prepareLogin(login: QueueLogin): PreparedLogin {
  const address = readUrl(login.url);
  const { caFile, certFile, keyFile } = login;
  for (const [setting, file] of [
    ['NATS_CREDS_FILE', login.credsFile],
    ['NATS_CA_FILE', caFile],
    ['NATS_CERT_FILE', certFile],
    ['NATS_KEY_FILE', keyFile],
  ] as const)
    if (file !== undefined) mustBeReadable(setting, file);
  const files = Object.entries({ caFile, certFile, keyFile }).filter(([, file]) => file !== undefined);
  const tls = address.tls || files.length > 0 ? { ...Object.fromEntries(files), ...identityCheck(address) } : undefined;
  const given = { ...login, user: login.user ?? address.user };
  return {
    shown: address.shown,
    kind: kindOfLogin(login, address),
    options: { servers: address.servers, ...(tls === undefined ? {} : { tls }), ...authentication(address, login) },
    explain: (error) => explain(error, given, tls !== undefined),
  };
}

/**
 * The client has certificates checked against "localhost" where a server is named by its address (3.4 seen), which
 * refuses the right one and takes that of whoever is called so. Which address it dials it does not say: any of ours.
 */
function identityCheck({ servers }: Address): object {
  const hosts = servers.map((server) => new URL(`nats://${server}`).hostname.replace(/^\[|\]$/g, ''));
  const addresses = hosts.filter((host) => isIP(host) !== 0);
  if (addresses.length === 0) return {};
  return {
    checkServerIdentity: (host: string, certificate: PeerCertificate): Error | undefined => {
      const named = host !== 'localhost' || hosts.includes('localhost');
      const problems = (named ? [host] : addresses).map((name) => checkServerIdentity(name, certificate));
      return problems.includes(undefined) ? undefined : problems[0];
    },
  };
}

/** https://nodejs.org/api/tls.html#x509-certificate-error-codes */
const UNTRUSTED: readonly string[] = [
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'CERT_UNTRUSTED',
  'CERT_SIGNATURE_FAILURE',
];
const OUT_OF_DATE = /^CERT_(HAS_EXPIRED|NOT_YET_VALID)$/;

function explain(error: unknown, login: QueueLogin, tls: boolean): string {
  const { code = '', cert } = tlsError(error);
  if (UNTRUSTED.includes(code))
    return (
      `shows a certificate that nobody we trust has signed (${code}); set NATS_CA_FILE to its authority's ` +
      `certificate${login.caFile === undefined ? '' : ', it names another one'}`
    );
  if (OUT_OF_DATE.test(code)) return `shows a certificate whose time is not now (${code}); give it another one`;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return (
      `shows a certificate for ${cert?.subjectaltname ?? 'no name at all'}; write one of those names in NATS_URL, ` +
      'or give the server a certificate with its own'
    );
  if (code.startsWith('ERR_OSSL'))
    return `cannot be met: NATS_CERT_FILE and NATS_KEY_FILE are no certificate and its key (${code}); correct them`;
  const text = describeError(error);
  if (text.includes("does not support 'tls'"))
    return 'offers no TLS; start it with a certificate, or take tls:// out of NATS_URL and unset NATS_CA_FILE';
  if (/nkeys: |unable to parse credentials/.test(text))
    return `cannot be logged in to: ${loginSettings(login)}, which is not in its format`;
  if (error instanceof errors.UserAuthenticationExpiredError)
    return `refuses the login, which has expired; renew the file that NATS_CREDS_FILE names`;
  if (error instanceof errors.AuthorizationError) return `refuses the login; ${loginSettings(login)}`;
  if (tls && error instanceof errors.TimeoutError)
    return (
      'does not finish its TLS handshake; where it asks for a certificate of ours, ' +
      (login.certFile === undefined ? 'set NATS_CERT_FILE and NATS_KEY_FILE' : 'it does not trust NATS_CERT_FILE')
    );
  return 'does not answer; start it or correct NATS_URL';
}

/** What Node says of a certificate, wherever the client has put it. */
function tlsError(error: unknown): { readonly code?: string; readonly cert?: PeerCertificate } {
  if (!(error instanceof Error)) return {};
  if (typeof (error as { code?: unknown }).code === 'string')
    return error as { readonly code?: string; readonly cert?: PeerCertificate };
  return tlsError(error.cause);
}
