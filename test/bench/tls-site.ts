import { execFile } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ChildServer } from '../../src/launcher/child-server.ts';
import { answers, freePort } from '../../src/launcher/tcp-ports.ts';

export interface TlsSite extends AsyncDisposable {
  readonly port: number;
  /** Hashes of the public keys, as Chromium takes them for `--ignore-certificate-errors-spki-list`. */
  readonly trusted: readonly string[];
}

export interface TlsSiteOptions {
  readonly dir: string;
  readonly startHost: string;
  readonly baseDomain: string;
  /** Otherwise the start page has one and the instances have another. */
  readonly oneCertificate: boolean;
  readonly serverPort: number;
  readonly proxyPort: number;
}

const SHIPPED = fileURLToPath(new URL('../../deploy/caddy/Caddyfile.wildcard', import.meta.url));
const run = promisify(execFile);

/** A Caddy of its own that ends TLS with the Caddyfile that we ship, before the server and the proxy. */
export async function startTlsSite(options: TlsSiteOptions): Promise<TlsSite> {
  const { dir, startHost, baseDomain, oneCertificate } = options;
  const names = [startHost, `*.${baseDomain}`];
  const start = await makeCertificate(dir, 'start', oneCertificate ? names : names.slice(0, 1));
  const instances = oneCertificate ? start : await makeCertificate(dir, 'instances', names.slice(1));
  const [port, httpPort, adminPort] = [await freePort(), await freePort(), await freePort()];
  const [head = '', ...rest] = (await readFile(SHIPPED, 'utf8')).split('*.demo.example.org {');
  const files = /\/etc\/try-it-now\/tls\/fullchain\.pem \/etc\/try-it-now\/tls\/privkey\.pem/;
  const text = [head.replace(files, start.files), rest.join('').replace(files, instances.files)]
    .join(`*.${baseDomain} {`)
    .replace('try.example.org', startHost)
    .replace('admin localhost:2019', `admin localhost:${adminPort}\n\thttps_port ${port}\n\thttp_port ${httpPort}`)
    .replace('127.0.0.1:8080', `127.0.0.1:${options.serverPort}`)
    .replace('127.0.0.1:8000', `127.0.0.1:${options.proxyPort}`);
  const caddyfile = join(dir, 'Caddyfile');
  await writeFile(caddyfile, text);
  const server = await ChildServer.start({
    name: 'Caddy',
    command: 'caddy',
    args: ['run', '--config', caddyfile],
    cwd: dir,
    env: { XDG_DATA_HOME: dir, XDG_CONFIG_HOME: dir, HOME: dir },
    saysUp: 'serving initial configuration',
    isUp: () => answers(adminPort),
  });
  const trusted = [...new Set([start.publicKey, instances.publicKey])];
  return { port, trusted, [Symbol.asyncDispose]: () => server.stop() };
}

async function makeCertificate(
  dir: string,
  name: string,
  hosts: readonly string[],
): Promise<{ readonly files: string; readonly publicKey: string }> {
  const [certificate, key] = [join(dir, `${name}.crt`), join(dir, `${name}.key`)];
  const wanted = `subjectAltName=${hosts.map((host) => `DNS:${host}`).join(',')}`;
  const how = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc', '-days', '2', '-subj', `/CN=${name}`];
  await run('openssl', ['req', '-x509', ...how, '-addext', wanted, '-keyout', key, '-out', certificate]);
  const { publicKey } = new X509Certificate(await readFile(certificate));
  return {
    files: `${certificate} ${key}`,
    publicKey: createHash('sha256')
      .update(publicKey.export({ type: 'spki', format: 'der' }))
      .digest('base64'),
  };
}
