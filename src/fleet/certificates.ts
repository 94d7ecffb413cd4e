import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TryItNowError, describeError } from '../domain/errors.ts';
import { temporaryFolder } from '../lifecycle/temporary-folder.ts';

const run = promisify(execFile);

const DAYS = 3_650;
/** A certificate that ends within this time is made again. */
const RENEW_WITHIN_MS = 365 * 86_400_000;
const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** An authority for the hosts of one fleet. Throws invalid_request without openssl, as does `certify`. */
export async function newAuthority(): Promise<KeyPair> {
  return withFolder(async (at) => {
    await openssl([
      ...['req', '-x509', ...NEW_KEY, '-days', String(DAYS), '-subj', '/CN=Try It Now fleet'],
      ...['-addext', 'basicConstraints=critical,CA:TRUE,pathlen:0', '-addext', 'keyUsage=critical,keyCertSign'],
      ...['-keyout', at('ca.key'), '-out', at('ca.crt')],
    ]);
    return { cert: await readFile(at('ca.crt'), 'utf8'), key: await readFile(at('ca.key'), 'utf8') };
  });
}

/** A certificate for a server at this address, and on its own host at the loopback address. */
export async function certify(authority: KeyPair, address: string): Promise<KeyPair> {
  return withFolder(async (at) => {
    await writeFile(at('ca.crt'), authority.cert);
    await writeFile(at('ca.key'), authority.key, { mode: 0o600 });
    await writeFile(
      at('extensions'),
      `subjectAltName=IP:${address},IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n`,
    );
    await openssl(['req', ...NEW_KEY, '-subj', '/CN=Try It Now', '-keyout', at('key'), '-out', at('request')]);
    await openssl([
      ...['x509', '-req', '-in', at('request'), '-CA', at('ca.crt'), '-CAkey', at('ca.key'), '-CAcreateserial'],
      ...['-days', String(DAYS), '-extfile', at('extensions'), '-out', at('crt')],
    ]);
    return { cert: await readFile(at('crt'), 'utf8'), key: await readFile(at('key'), 'utf8') };
  });
}

/** Whether it is good for a server at this address, and for a while. */
export function fits(cert: string, authority: string, address: string, nowMs: number): boolean {
  const certificate = new X509Certificate(cert);
  return (
    certificate.checkIP(address) !== undefined &&
    certificate.verify(new X509Certificate(authority).publicKey) &&
    Date.parse(certificate.validTo) > nowMs + RENEW_WITHIN_MS
  );
}

/** One that nobody else may look into: keys are written there. */
async function withFolder<T>(work: (at: (name: string) => string) => Promise<T>): Promise<T> {
  const folder = await temporaryFolder('try-it-now-keys-');
  try {
    return await work((name) => join(folder, name));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function openssl(args: readonly string[]): Promise<void> {
  await run('openssl', [...args]).catch((error: unknown) => {
    throw new TryItNowError(
      'invalid_request',
      `openssl, which makes certificates, does not (${describeError(error)}); install it (apt install openssl)`,
      { cause: error },
    );
  });
}
