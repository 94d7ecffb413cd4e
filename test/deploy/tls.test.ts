import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newHostLabel } from '../../src/domain/ids.ts';
import { ChildServer } from '../../src/launcher/child-server.ts';
import { answers, freePort } from '../../src/launcher/tcp-ports.ts';
import { Releasers } from '../../src/lifecycle/releasers.ts';
import { askAdmin } from '../../src/proxy/caddy-admin.ts';
import { CaddyProxy } from '../../src/proxy/caddy-proxy.ts';
import { eventually } from '../support/eventually.ts';
import {
  echo,
  NameBook,
  openSocket,
  startUpstream,
  startValkey,
  temporaryFolder,
  type Upstream,
} from '../support/proxy.ts';
import { silent } from '../support/store.ts';
import { getOverTls } from '../support/tls.ts';

const DEPLOY = fileURLToPath(new URL('../../deploy/caddy', import.meta.url));
const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const run = promisify(execFile);
let releasers: Releasers;

beforeEach(() => {
  releasers = new Releasers();
});
afterEach(() => releasers.releaseAll(silent));

/** Discovery as its own process, over a Valkey whose names the test writes. */
async function startDiscoveryProcess(
  valkeyPort: number,
): Promise<{ readonly dns: number; readonly ask: (domain: string) => Promise<number>; readonly httpPort: number }> {
  const [dns, httpPort] = [await freePort(), await freePort()];
  const env = {
    VALKEY_ADDR: `127.0.0.1:${valkeyPort}`,
    DISCOVERY_ADDR: `127.0.0.1:${dns}`,
    DISCOVERY_METRICS_ADDR: `127.0.0.1:${httpPort}`,
    BASE_DOMAIN: 'demo.example.org',
    PUBLIC_URL: 'https://try.example.org',
    LOG_LEVEL: 'info',
  };
  const server = await ChildServer.start({
    name: 'discovery',
    command: process.execPath,
    args: [MAIN, 'discovery'],
    env,
    saysUp: 'Discovery answers',
    isUp: () => answers(httpPort),
  });
  releasers.push('discovery', () => server.stop());
  const ask = async (domain: string): Promise<number> => {
    const response = await request(`http://127.0.0.1:${httpPort}/ask?domain=${encodeURIComponent(domain)}`);
    await response.body.dump();
    return response.statusCode;
  };
  return { dns, ask, httpPort };
}

interface Site {
  readonly httpsPort: number;
  readonly adminUrl: string;
  readonly caddyfile: string;
  readonly change: (from: string, to: string) => Promise<void>;
  readonly restart: (how?: readonly string[]) => Promise<void>;
  readonly proxy: CaddyProxy;
}

/** A Caddy with one of the Caddyfiles that we ship, on ports of the test's own, and our own server in it. */
async function startSite(
  file: string,
  ports: { readonly dns: number; readonly ask?: number },
  rewrite: (text: string) => string = (text) => text,
): Promise<Site> {
  const dir = await temporaryFolder(releasers);
  const [httpsPort, httpPort, demoPort] = [await freePort(), await freePort(), await freePort()];
  const shipped = await readFile(join(DEPLOY, file), 'utf8');
  const text = rewrite(shipped)
    .replace(/admin unix\S+/, `admin unix/${dir}/admin.sock\n\thttps_port ${httpsPort}\n\thttp_port ${httpPort}`)
    .replaceAll('127.0.0.1:8000', `127.0.0.1:${demoPort}`)
    .replaceAll('127.0.0.1:15354', `127.0.0.1:${ports.ask ?? 0}`);
  const caddyfile = join(dir, 'Caddyfile');
  await writeFile(caddyfile, text);
  const env = { XDG_DATA_HOME: dir, XDG_CONFIG_HOME: dir, HOME: dir };
  let server: ChildServer | undefined;
  const start = async (how: readonly string[] = []): Promise<void> => {
    server = await ChildServer.start({
      name: 'Caddy',
      command: 'caddy',
      args: ['run', ...how, '--config', caddyfile],
      cwd: dir,
      env,
      saysUp: 'serving initial configuration',
    });
  };
  await start();
  releasers.push('caddy', () => server?.stop());
  const adminUrl = `unix://${dir}/admin.sock`;
  const proxy = new CaddyProxy({
    adminUrl,
    listen: `127.0.0.1:${demoPort}`,
    address: { scheme: 'https', baseDomain: 'demo.example.org', port: undefined },
    innerPorts: [],
    responseTimeoutMs: 60_000,
    discovery: { host: '127.0.0.1', port: ports.dns, metrics: { host: '127.0.0.1', port: ports.ask ?? 9 } },
    publicUrl: 'https://try.example.org',
    trustedProxies: ['127.0.0.1/32', '::1/128'],
    log: silent,
  });
  await proxy.ensure();
  const restart = async (how?: readonly string[]): Promise<void> => {
    await server?.stop();
    await start(how);
  };
  const change = async (from: string, to: string): Promise<void> => {
    const before = await readFile(caddyfile, 'utf8');
    expect(before).toContain(from);
    await writeFile(caddyfile, before.replace(from, to));
  };
  return { httpsPort, adminUrl, caddyfile, change, restart, proxy };
}

async function startNames(): Promise<NameBook> {
  const names = new NameBook((await startValkey(releasers)).port, releasers);
  await names.addNode();
  return names;
}

/** An app that tells what it was asked as, under a name. */
async function publishApp(names: NameBook): Promise<Upstream & { readonly host: string }> {
  const app = await startUpstream(releasers, ({ headers }, response) =>
    response.end(
      `${headers.host ?? ''} by ${String(headers['x-forwarded-proto'])} for ${String(headers['x-forwarded-for'])}`,
    ),
  );
  await names.publish(app.label, app.port);
  return { ...app, host: `${app.label}.demo.example.org` };
}

describe('GET /ask', () => {
  it('says yes to the start page and to live instances, and no to everything else', async () => {
    const names = await startNames();
    const label = newHostLabel();
    await names.publish(label, 21_001);
    const { ask, httpPort } = await startDiscoveryProcess(names.port);
    await eventually(async () => expect(await ask(`${label}.demo.example.org`)).toBe(200));

    expect(await ask('try.example.org')).toBe(200);
    expect(await ask(`${label.toUpperCase()}.Demo.Example.Org`)).toBe(200);
    for (const stranger of [
      '',
      'demo.example.org',
      'www.demo.example.org',
      `${newHostLabel()}.demo.example.org`,
      `${label}.example.org`,
      `a.${label}.demo.example.org`,
      `${label}.demo.example.org.evil.test`,
      `${label}.demo.example.org.`,
    ]) {
      // A look into the store that took too long is answered with 503.
      await eventually(async () => expect(await ask(stranger), stranger).toBe(404));
    }
    await names.withdraw(label);
    await eventually(async () => expect(await ask(`${label}.demo.example.org`)).toBe(404));
    expect(
      (await request(`http://127.0.0.1:${httpPort}/ask?domain=try.example.org`, { method: 'POST' })).statusCode,
    ).toBe(405);
    expect((await request(`http://127.0.0.1:${httpPort}/elsewhere`)).statusCode).toBe(404);
    expect(await (await request(`http://127.0.0.1:${httpPort}/metrics`)).body.text()).toContain(
      'try_it_now_dns_hostnames 0',
    );
  });

  it('still knows live names while the store is unavailable, and says neither yes nor no to others', async () => {
    const valkey = await startValkey(releasers);
    const names = new NameBook(valkey.port, releasers);
    await names.addNode();
    const label = newHostLabel();
    await names.publish(label, 21_001);
    const { ask } = await startDiscoveryProcess(names.port);
    await eventually(async () => expect(await ask(`${label}.demo.example.org`)).toBe(200));

    await valkey.server.stop();
    expect(await ask(`${label}.demo.example.org`)).toBe(200);
    await eventually(async () => expect(await ask(`${newHostLabel()}.demo.example.org`)).toBe(503));
  });
});

describe('Caddy with certificates on demand', () => {
  it('gets one for a live name, and refuses a dead one', async () => {
    const names = await startNames();
    const app = await publishApp(names);
    const { dns, ask, httpPort } = await startDiscoveryProcess(names.port);
    await eventually(async () => expect(await ask(app.host)).toBe(200));
    const site = await startSite('Caddyfile.on-demand', { dns, ask: httpPort });

    const answer = await getOverTls(site.httpsPort, app.host);
    expect(answer).toMatchObject({
      names: `DNS:${app.host}`,
      status: 200,
      issuer: expect.stringContaining('Caddy Local Authority') as string,
    });
    expect(answer.body).toContain(`${app.host} by https for 127.0.0.1`);

    for (const dead of [`${newHostLabel()}.demo.example.org`, 'www.demo.example.org']) {
      await expect(getOverTls(site.httpsPort, dead), dead).rejects.toThrow();
    }
    expect((await getOverTls(site.httpsPort, 'try.example.org')).names).toBe('DNS:try.example.org');
  });
});

describe('Caddy with a wildcard certificate', () => {
  /** Puts a certificate and its key where the Caddyfile names them, over those before. */
  async function certify(dir: string, issuer: string): Promise<void> {
    await run('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'],
      ...['-subj', `/CN=${issuer}`, '-addext', 'subjectAltName=DNS:try.example.org,DNS:*.demo.example.org'],
      ...['-keyout', join(dir, 'privkey.pem'), '-out', join(dir, 'fullchain.pem')],
    ]);
  }

  async function startWildcardSite(): Promise<{
    site: Site;
    app: Awaited<ReturnType<typeof publishApp>>;
    renew: () => Promise<void>;
  }> {
    const names = await startNames();
    const app = await publishApp(names);
    const { dns, ask } = await startDiscoveryProcess(names.port);
    await eventually(async () => expect(await ask(app.host)).toBe(200));
    const dir = await temporaryFolder(releasers);
    await certify(dir, 'the first one');
    return {
      app,
      renew: () => certify(dir, 'the second one'),
      site: await startSite('Caddyfile.wildcard', { dns }, (text) => text.replaceAll('/etc/try-it-now/tls', dir)),
    };
  }

  /** What the installed drop-in has systemd run after each start and at each reload. */
  const apply = ({ adminUrl, caddyfile }: Site): Promise<{ stdout: string }> =>
    run(process.execPath, [join(DEPLOY, 'apply.js'), caddyfile], {
      env: { ...process.env, CADDY_ADMIN_URL: adminUrl },
    });

  it('serves instances over TLS, and our server leaves the site alone', async () => {
    const { site, app } = await startWildcardSite();
    expect(await getOverTls(site.httpsPort, app.host)).toMatchObject({
      names: 'DNS:try.example.org, DNS:*.demo.example.org',
      status: 200,
      body: expect.stringContaining('by https') as string,
    });
    expect(await site.proxy.ensure()).toBe('unchanged');
  });

  it('takes up a changed Caddyfile without losing our server, and reloads nothing when nothing changed', async () => {
    const { site, app } = await startWildcardSite();
    const socket = await openSocket(releasers, await demoPort(site), app.host);
    await apply(site);
    expect(await echo(socket, 'still here')).toBe('still here');
    socket.close();
    await once(socket, 'close');

    await site.change('respond /metrics 404', 'respond / "changed"');
    expect((await apply(site)).stdout).toContain('has taken up');
    expect(await site.proxy.check()).toBe('present');
    expect((await getOverTls(site.httpsPort, 'try.example.org')).body).toContain('changed');
    expect((await getOverTls(site.httpsPort, app.host)).status).toBe(200);

    await site.change('reverse_proxy', 'no_such_directive');
    await expect(apply(site)).rejects.toThrow('no_such_directive');
    expect((await getOverTls(site.httpsPort, app.host)).status).toBe(200);
  });

  it.each([
    [
      'the settings of the host',
      'mount -t tmpfs none /etc && mkdir /etc/try-it-now && ' +
        'echo "CADDY_ADMIN_URL=unix://$0" >/etc/try-it-now/try-it-now.env',
    ],
    ['the place of its socket', 'mkdir /run/try-it-now-caddy && ln -s "$0" /run/try-it-now-caddy/admin.sock'],
  ])('shows a renewed certificate after a hook that knows Caddy by %s alone', async (_, place) => {
    const { site, app, renew } = await startWildcardSite();
    expect((await getOverTls(site.httpsPort, app.host)).issuer).toBe('the first one');
    await renew();
    // As on a host of its own: nothing there is this machine's.
    const hook = `mount -t tmpfs none /run && ${place} && exec "$@"`;
    const { CADDY_ADMIN_URL: _none, ...env } = process.env;
    const command = [process.execPath, join(DEPLOY, 'apply.js'), site.caddyfile, '--force'];
    const socket = site.adminUrl.slice('unix://'.length);
    const { stdout } = await run('unshare', ['--mount', 'sh', '-ec', hook, socket, ...command], { env });
    expect(stdout).toContain('has taken up');
    for (const name of [app.host, 'try.example.org'])
      expect((await getOverTls(site.httpsPort, name)).issuer).toBe('the second one');
    expect(await site.proxy.check()).toBe('present');
  });

  it('has our server back with a restart, before anybody puts it there', async () => {
    const { site, app } = await startWildcardSite();
    await site.change('respond /metrics 404', 'respond / "changed"');
    await site.restart(['--resume']);
    expect(await site.proxy.check()).toBe('present');
    await apply(site);
    expect((await getOverTls(site.httpsPort, app.host)).status).toBe(200);
    expect((await getOverTls(site.httpsPort, 'try.example.org')).body).toContain('changed');
  });
});

async function demoPort({ adminUrl }: Site): Promise<number> {
  const { body } = await askAdmin(adminUrl, 'GET', '/config/apps/http/servers/demo/listen/0');
  return Number((body as string).split(':').at(-1));
}
