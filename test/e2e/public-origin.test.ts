import { createServer, request, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newHostLabel } from '../../src/domain/ids.ts';
import { Releasers } from '../../src/lifecycle/releasers.ts';
import { NO_BRANDING } from '../../src/presentation/branding.ts';
import { Languages } from '../../src/presentation/languages/languages.ts';
import { silentPage } from '../../src/proxy/pages.ts';
import { HttpProbe } from '../../src/runtime/readiness/http-probe.ts';
import { eventually } from '../support/eventually.ts';
import {
  get,
  INNER_PORT,
  START_URL,
  startProxyWorld,
  startUpstream,
  type ProxyWorld,
  type Upstream,
} from '../support/proxy.ts';
import { silent } from '../support/store.ts';

/** What Node's servers keep an idle connection for, and few servers less. */
const SERVERS_KEEP_MS = 5_000;

describe('behind a public address that is not where Caddy listens', () => {
  const outer = new Releasers();
  const address = { scheme: 'https', baseDomain: 'demo.example.test', port: 8443 } as const;
  let world: ProxyWorld;
  /** Redirects to what X-Location says, else tells what it was sent. */
  let app: Upstream;
  let host: string;
  let origin: string;

  beforeAll(async () => {
    world = await startProxyWorld(outer, { address });
    app = await startUpstream(outer, ({ url, headers }, response) => {
      const location = headers['x-location'];
      if (typeof location === 'string') response.writeHead(302, { location }).end();
      else response.end(JSON.stringify({ url, headers }));
    });
    await world.names.publish(app.label, app.port);
    host = `${app.label}.demo.example.test`;
    origin = `https://${host}:8443`;
  });
  afterAll(() => outer.releaseAll(silent));

  it('tells the app that address, and passes nothing on that somebody else claims', async () => {
    const lies = {
      'x-forwarded-for': '203.0.113.9',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': 'evil.example',
      'x-forwarded-port': '1',
      'x-forwarded-prefix': '/evil',
      'x-real-ip': '203.0.113.9',
      forwarded: 'for=203.0.113.9;host=evil.example',
    };
    const { headers } = JSON.parse((await get(world.proxyPort, host, lies)).body) as { headers: object };
    expect(headers).toMatchObject({
      host: `${host}:8443`,
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-host': `${host}:8443`,
      'x-forwarded-port': '8443',
      'x-forwarded-proto': 'https',
    });
    for (const name of ['x-forwarded-prefix', 'x-real-ip', 'forwarded']) expect(headers).not.toHaveProperty(name);
  });

  it.each<[string, (host: string) => string, string]>([
    ['its port inside', (name) => `http://${name}:${INNER_PORT}/docs/?a={b}#c`, '/docs/?a={b}#c'],
    ['no port', (name) => `http://${name}/docs`, '/docs'],
    ['no scheme', (name) => `//${name.toUpperCase()}:80`, ''],
    ['a loopback address', () => `http://127.0.0.1:${INNER_PORT}/`, '/'],
    ['an unspecified address', () => `http://[::]:${INNER_PORT}?q`, '?q'],
    ['localhost', () => `http://localhost:${INNER_PORT}/a`, '/a'],
    ["its container's name", () => `http://demo-hello-0a1b2c:${INNER_PORT}/a`, '/a'],
  ])('leads back there when the app redirects to %s', async (_, location, rest) => {
    const answer = await get(world.proxyPort, host, { 'x-location': location(host) });
    expect(answer.status).toBe(302);
    expect(answer.headers.location?.toLowerCase()).toBe(`${origin}${rest}`);
  });

  it.each([
    '/relative',
    'sign-in',
    'http://127.0.0.1:9/sign-in',
    `http://localhost:${INNER_PORT}0/`,
    `https://example.org:${INNER_PORT}/`,
    `https://localhost.example.org:${INNER_PORT}/`,
    'http://www.demo.example.test/',
  ])('leaves a redirect to %s alone', async (location) => {
    expect((await get(world.proxyPort, host, { 'x-location': location })).headers.location).toBe(location);
  });

  it('leads a redirect to another instance to that one', async () => {
    const other = `${newHostLabel()}.demo.example.test`;
    const answer = await get(world.proxyPort, host, { 'x-location': `http://${other}:${INNER_PORT}/` });
    expect(answer.headers.location).toBe(`https://${other}:8443/`);
  });

  it('sends a name with a dot at its end to the one without, with path and query', async () => {
    for (const port of ['', ':8443']) {
      const answer = await get(world.proxyPort, `${host}.${port}`);
      expect([answer.status, answer.headers.location]).toEqual([308, `${origin}/`]);
    }
  });
});

describe('where instances are served by http', () => {
  const outer = new Releasers();
  afterAll(() => outer.releaseAll(silent));

  it('leads an app that insists on https back to http, and so in circles', async () => {
    const world = await startProxyWorld(outer);
    const app = await startUpstream(outer, ({ headers }, response) => {
      response.writeHead(301, { location: `https://${headers.host ?? ''}/` }).end();
    });
    await world.names.publish(app.label, app.port);
    const host = `${app.label}.localhost:${world.proxyPort}`;
    const answer = await get(world.proxyPort, host);
    expect([answer.status, answer.headers.location]).toEqual([301, `http://${host}/`]);

    const visitor = { scheme: 'http', host } as const;
    const probe = new HttpProbe();
    // Asked directly it is seen to do the same, so that nobody blames the proxy.
    for (const port of [world.proxyPort, app.port]) {
      const target = { url: `http://127.0.0.1:${port}/`, visitor, timeoutMs: 60_000 };
      const { ok, seen } = await probe.look(target, AbortSignal.timeout(60_000));
      expect([ok, seen]).toMatchObject([false, { kind: 'circles', path: '/', toHttps: port === app.port }]);
    }
  });
});

describe('an app that is slow or hangs', () => {
  let releasers: Releasers;

  beforeEach(() => {
    releasers = new Releasers();
  });
  afterEach(() => releasers.releaseAll(silent));

  it('is given a time for its answer, and what has begun goes on beyond it', async () => {
    const responseTimeoutMs = 3_000;
    const world = await startProxyWorld(releasers, { responseTimeoutMs });
    let finish = (): void => undefined;
    const app = await startUpstream(releasers, ({ url }, response) => {
      if (url === '/hangs') return;
      response.write('begun ');
      finish = () => response.end('done');
    });
    await world.names.publish(app.label, app.port);
    const host = `${app.label}.localhost`;
    const asked = (accept: string) =>
      request({ host: '127.0.0.1', port: world.proxyPort, path: '/hangs', headers: { host, accept }, agent: false });
    const read = async (sent: ReturnType<typeof request>): Promise<[number | undefined, string]> => {
      const [response] = (await once(sent.end(), 'response')) as [IncomingMessage];
      let body = '';
      for await (const chunk of response.setEncoding('utf8')) body += String(chunk);
      return [response.statusCode, body];
    };

    const stream = get(world.proxyPort, host);
    const pages = { languages: new Languages(), branding: NO_BRANDING, startUrl: START_URL };
    const expected = silentPage(pages, responseTimeoutMs).pages[0].html;
    const [page, [status, body]] = await Promise.all([read(asked('text/html')), read(asked('*/*'))]);
    expect(page).toEqual([504, expected]);
    expect([status, JSON.parse(body)]).toMatchObject([504, { code: 'instance_silent' }]);
    // Both had to wait for that time.
    finish();
    expect(await stream).toMatchObject({ status: 200, body: 'begun done' });
  });

  it('closes its idle connections later than the proxy does, so that no POST meets a closing one', async () => {
    const world = await startProxyWorld(releasers);
    const closedBy: string[] = [];
    const server = createServer({ keepAliveTimeout: 600_000 }, (incoming, response) => {
      incoming.resume().on('end', () => response.end('taken'));
    });
    server.on('connection', (socket) => {
      socket.on('end', () => closedBy.push('proxy')).on('timeout', () => closedBy.push('app'));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    releasers.push('app', () => {
      server.close();
      server.closeAllConnections();
    });
    const label = newHostLabel();
    await world.names.publish(label, (server.address() as AddressInfo).port);

    expect(await get(world.proxyPort, `${label}.localhost`)).toMatchObject({ status: 200, body: 'taken' });
    await eventually(() => expect(closedBy).toEqual(['proxy']));
    const config = await (await fetch(`${world.caddy.adminUrl}/config/`)).text();
    const kept = [...config.matchAll(/"keep_alive":\{[^}]*"idle_timeout":"(\d+)ms"/g)].map(([, ms]) => Number(ms));
    expect(kept.length).toBeGreaterThan(0);
    expect(Math.max(...kept)).toBeLessThan(SERVERS_KEEP_MS);
  });
});
