import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ChildServer } from '../../src/launcher/child-server.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';

const run = promisify(execFile);

/** `let-me-in`, as `htpasswd -B` writes it; a low cost, for it is asked at each request. */
const HTPASSWD = 'visitor:$2b$04$4xsNLKHPUtUNe03wuPmdseZx1xaIBWX9GRoMDdSCyaPKBByzd9/1u\n';

export interface ImageRegistry extends AsyncDisposable {
  /** As names of images begin with it. */
  readonly address: string;
  readonly login: { readonly username: string; readonly password: string };
  /** The login as a file of credentials has it. */
  readonly credentialsFile: string;
  readonly signal: (signal: NodeJS.Signals) => void;
}

/**
 * Debian's registry at this address of the machine, with a password and a certificate that Podman is told to trust;
 * Docker trusts loopback anyway.
 */
export async function imageRegistry(host = '127.0.0.1'): Promise<ImageRegistry> {
  const folder = await mkdtemp(join(tmpdir(), 'tin-registry-'));
  const port = await freePort();
  const address = `${host}:${port}`;
  const trusted = `/etc/containers/certs.d/${address}`;
  const at = (name: string): string => join(folder, name);
  await run('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-subj', '/CN=registry', '-addext', `subjectAltName=IP:${host}`, '-keyout', at('key.pem')],
    ...['-out', at('cert.pem')],
  ]);
  await mkdir(trusted, { recursive: true });
  await run('cp', [at('cert.pem'), join(trusted, 'ca.crt')]);
  await writeFile(at('htpasswd'), HTPASSWD);
  const login = { username: 'visitor', password: 'let-me-in' };
  const auth = Buffer.from(`${login.username}:${login.password}`).toString('base64');
  await writeFile(at('auth.json'), JSON.stringify({ auths: { [address]: { auth } } }));
  await writeFile(
    at('config.json'),
    JSON.stringify({
      version: '0.1',
      log: { level: 'error' },
      storage: { filesystem: { rootdirectory: at('data') } },
      auth: { htpasswd: { realm: 'test', path: at('htpasswd') } },
      http: { addr: address, tls: { certificate: at('cert.pem'), key: at('key.pem') } },
    }),
  );
  const server = await ChildServer.start({
    name: 'the registry',
    command: 'docker-registry',
    args: ['serve', at('config.json')],
    isUp: () => answers(host, port),
  });
  return {
    address,
    login,
    credentialsFile: at('auth.json'),
    signal: (signal) => server.signal(signal),
    [Symbol.asyncDispose]: async () => {
      await server.stop();
      await rm(trusted, { recursive: true });
      await rm(folder, { recursive: true });
    },
  };
}

async function answers(host: string, port: number): Promise<boolean> {
  const socket = connect(port, host);
  try {
    return await new Promise((resolve) =>
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false)),
    );
  } finally {
    socket.destroy();
  }
}
