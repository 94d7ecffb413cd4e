import { createServer } from 'node:net';
import { once } from 'node:events';
import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import { eventually } from '../../test/support/eventually.ts';
import {
  echo,
  get,
  openSocket,
  START_URL,
  startProxyWorld,
  startUpstream,
  temporaryFolder,
  type ProxyWorld,
} from '../../test/support/proxy.ts';
import { LogBook } from '../../test/support/queue.ts';
import { silent, startStore, type TestStore } from '../../test/support/store.ts';
import { TryItNowError } from '../domain/errors.ts';
import { launchCaddy } from '../launcher/caddy.ts';
import { freePort } from '../launcher/tcp-ports.ts';
import { Releasers } from '../lifecycle/releasers.ts';
import { DEFAULT_COLORS, NO_BRANDING, type Brand } from '../presentation/branding.ts';
import { BUILT_IN_LANGUAGES, Languages } from '../presentation/languages/languages.ts';
import { keys } from '../store/keys.ts';
import { CaddyProxy, type CaddyProxyOptions } from './caddy-proxy.ts';

const servers = '/config/apps/http/servers';
let releasers: Releasers;

beforeEach(() => {
  releasers = new Releasers();
});
afterEach(() => releasers.releaseAll(silent));

/** As an operator's own tools would; Caddy cuts admin connections at every reload, so each request has its own. */
async function admin(adminUrl: string, method: string, path: string, value?: unknown): Promise<unknown> {
  const response = await request(`${adminUrl}${path}`, {
    method,
    reset: true,
    ...(value === undefined ? {} : { body: JSON.stringify(value), headers: { 'content-type': 'application/json' } }),
  });
  const text = await response.body.text();
  expect(response.statusCode, text).toBe(200);
  return text.trim() === '' ? undefined : JSON.parse(text);
}

async function emptyCaddy(): Promise<{
  adminUrl: string;
  port: number;
  proxy: CaddyProxy;
  options: CaddyProxyOptions;
  read: (path: string) => Promise<unknown>;
  write: (path: string, value: unknown) => Promise<void>;
}> {
  const caddy = await launchCaddy({ dir: await temporaryFolder(releasers) });
  releasers.push('caddy', () => caddy.server.stop());
  const port = await freePort();
  const options: CaddyProxyOptions = {
    adminUrl: caddy.adminUrl,
    listen: `127.0.0.1:${port}`,
    address: { scheme: 'http', baseDomain: 'localhost', port },
    innerPorts: [],
    responseTimeoutMs: 60_000,
    discovery: { host: '127.0.0.1', port: 9, metrics: { host: '127.0.0.1', port: 9 } },
    publicUrl: START_URL,
    log: silent,
  };
  const proxy = new CaddyProxy(options);
  return {
    adminUrl: caddy.adminUrl,
    port,
    proxy,
    options,
    read: (path) => admin(caddy.adminUrl, 'GET', path),
    write: async (path, value) => {
      await admin(caddy.adminUrl, 'PUT', path, value);
    },
  };
}

describe('CaddyProxy', () => {
  it('writes our server into an empty Caddy, then finds nothing left to do', async () => {
    const { proxy, port } = await emptyCaddy();

    expect(await proxy.ensure()).toBe('written');
    expect(await proxy.ensure()).toBe('unchanged');
    expect((await get(port, 'localhost')).headers.location).toBe(START_URL);
  });

  it('puts the server back when it was deleted or altered', async () => {
    const { adminUrl, proxy, read } = await emptyCaddy();
    await proxy.ensure();
    const ours = await read(`${servers}/demo`);

    await admin(adminUrl, 'DELETE', `${servers}/demo`);
    expect(await read(`${servers}/demo`)).toBeNull();
    expect(await proxy.ensure()).toBe('written');
    expect(await read(`${servers}/demo`)).toEqual(ours);

    await admin(adminUrl, 'DELETE', `${servers}/demo/routes/0`);
    expect(await proxy.ensure()).toBe('written');
    expect(await read(`${servers}/demo`)).toEqual(ours);

    await admin(adminUrl, 'DELETE', `/config/apps`);
    expect(await proxy.ensure()).toBe('written');
    expect(await read(`${servers}/demo`)).toEqual(ours);
  });

  it('leaves what a newer server wrote, be it just now, and puts back what is missing all the same', async () => {
    const { adminUrl, proxy, options, read } = await emptyCaddy();
    await proxy.ensure();
    const demo = `${servers}/demo`;
    const asked: string[] = [];
    const older = new CaddyProxy({
      ...options,
      mayReplace: async () => {
        asked.push('asked');
        if (asked.length > 1) return false;
        // It was, but stands still while the newer one writes.
        await admin(adminUrl, 'PATCH', `${demo}/routes`, [{ handle: [{ handler: 'static_response', body: 'newer' }] }]);
        return true;
      },
    });
    await admin(adminUrl, 'DELETE', `${demo}/routes/0`);
    expect(await older.ensure()).toBe('unchanged');
    expect(asked).toHaveLength(2);
    expect(await read(`${demo}/routes`)).toEqual([{ handle: [{ handler: 'static_response', body: 'newer' }] }]);

    await admin(adminUrl, 'DELETE', demo);
    expect(await older.ensure()).toBe('written');
    expect(asked).toHaveLength(2);
    expect(await proxy.check()).toBe('present');
  });

  it('leaves the sites and settings of an operator alone', async () => {
    const { proxy, read, write } = await emptyCaddy();
    const shop = {
      listen: [`127.0.0.1:${await freePort()}`],
      routes: [{ handle: [{ handler: 'static_response', body: 'shop' }] }],
    };
    await write(`${servers}/shop`, shop);
    await write('/config/apps/http/grace_period', '3s');
    const before = await read('/config/');

    await proxy.ensure();

    const after = (await read('/config/')) as { apps: { http: { servers: Record<string, unknown> } } };
    delete after.apps.http.servers['demo'];
    expect(after).toEqual(before);
    expect(await get(Number(shop.listen[0]?.split(':')[1]), 'shop.example.test')).toMatchObject({
      status: 200,
      body: 'shop',
    });
  });

  it('cuts no WebSocket when there is nothing to write', async () => {
    const world = await startProxyWorld(releasers);
    const app = await startUpstream(releasers, (_, response) => response.end());
    await world.names.publish(app.label, app.port);
    const socket = await openSocket(releasers, world.proxyPort, `${app.label}.localhost`);

    expect(await world.proxy.ensure()).toBe('unchanged');
    expect(await world.proxy.ensure()).toBe('unchanged');
    expect(await echo(socket, 'still here')).toBe('still here');
  });

  it('is written once when several write at the same time', async () => {
    const { proxy, read } = await emptyCaddy();

    await Promise.all([proxy.ensure(), proxy.ensure(), proxy.ensure(), proxy.ensure()]);

    expect(await proxy.ensure()).toBe('unchanged');
    expect(Object.keys((await read(servers)) as object)).toEqual(['demo']);
  });

  it('names the port that another program has', async () => {
    const { proxy, port } = await emptyCaddy();
    const squatter = createServer().listen(port, '127.0.0.1');
    releasers.push('squatter', () => squatter.close());
    await once(squatter, 'listening');

    const error = await proxy.ensure().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TryItNowError);
    expect(error).toMatchObject({
      code: 'port_taken',
      message: expect.stringContaining(`127.0.0.1:${port}`) as string,
    });
  });

  it('names the port that another site of the same Caddy has', async () => {
    const { proxy, port, write } = await emptyCaddy();
    await write(`${servers}/shop`, { listen: [`127.0.0.1:${port}`] });

    await expect(proxy.ensure()).rejects.toMatchObject({
      code: 'port_taken',
      message: expect.stringMatching(`127.0.0.1:${port}.*already claimed by server`) as string,
    });
  });

  it('says so when Caddy does not answer, or refuses', async () => {
    const gone = `http://127.0.0.1:${await freePort()}`;
    const options = {
      listen: ':0',
      address: { scheme: 'http', baseDomain: 'localhost', port: undefined } as const,
      innerPorts: [],
      responseTimeoutMs: 60_000,
      discovery: { host: '127.0.0.1', port: 9, metrics: { host: '127.0.0.1', port: 9 } },
      publicUrl: START_URL,
      log: silent,
    };
    await expect(new CaddyProxy({ ...options, adminUrl: gone }).ensure()).rejects.toMatchObject({
      code: 'proxy_unavailable',
      message: expect.stringContaining(gone) as string,
    });

    const { adminUrl } = await emptyCaddy();
    await expect(new CaddyProxy({ ...options, adminUrl, listen: 'nonsense:port:here' }).ensure()).rejects.toMatchObject(
      { code: 'proxy_unavailable', message: expect.stringContaining('nonsense') as string },
    );
  });
});

/** Pages that say something else, in one more language. */
const OTHER_PAGES = {
  languages: new Languages([...BUILT_IN_LANGUAGES, { ...BUILT_IN_LANGUAGES[0], tag: 'nl' }]),
  branding: {
    ...NO_BRANDING,
    title: [{ tag: undefined, text: 'Corrected' }],
    colors: { ...DEFAULT_COLORS, dark: DEFAULT_COLORS.light },
  } satisfies Brand,
};
const DAY_MS = 24 * 3_600_000;

describe('CaddyProxy, where only what its pages show is another', () => {
  let world: ProxyWorld;
  let socket: WebSocket;

  beforeEach(async () => {
    world = await startProxyWorld(releasers);
    const app = await startUpstream(releasers, (_, response) => response.end());
    await world.names.publish(app.label, app.port);
    socket = await openSocket(releasers, world.proxyPort, `${app.label}.localhost`);
  });

  const newer = (options: Partial<CaddyProxyOptions> = {}): CaddyProxy =>
    new CaddyProxy({ ...world.options, ...OTHER_PAGES, ...options });
  /** As if pages had begun to wait so long ago. */
  const waitedFor = (store: TestStore, ms: number): Promise<unknown> =>
    store.valkey.set(keys.pagesWait('proxy:a'), Date.now() - ms, 'XX');
  const page = async (): Promise<string> =>
    (await get(world.proxyPort, 'nobody.localhost', { accept: 'text/html' })).body;

  it('cuts no WebSocket, and writes it once the last one has closed', async () => {
    const log = new LogBook();
    const proxy = newer({ log });

    expect(await proxy.check()).toBe('other_pages');
    expect(await proxy.ensure()).toBe('unchanged');
    expect(await proxy.ensure()).toBe('unchanged');
    expect(await echo(socket, 'still here')).toBe('still here');
    expect(await page()).not.toContain('Corrected');
    expect(log.lines.map(({ message }) => message)).toEqual([
      expect.stringContaining('no request to an instance is under way'),
    ]);

    socket.close();
    await once(socket, 'close');
    await eventually(async () => expect(await proxy.ensure()).toBe('written'));
    expect(await page()).toContain('Corrected');
    expect(await proxy.check()).toBe('present');
  });

  it('writes at once what routes, and those pages with it', async () => {
    const proxy = newer();
    expect(await proxy.ensure()).toBe('unchanged');

    const closed = once(socket, 'close');
    const routing = newer({ allowedOrigins: ['https://shop.example.test'] });
    expect(await routing.check()).toBe('different');
    expect(await routing.ensure()).toBe('written');
    await closed;
    expect(await page()).toContain('Corrected');
  });

  it('waits for a day at most, over restarts and whoever looks after it', async () => {
    await using store = await startStore();
    const pagesWait = store.pagesWait('proxy:a');
    let leads = true;
    const first = newer({ pagesWait, mayReplace: () => Promise.resolve(leads) });
    expect(await first.ensure()).toBe('unchanged');
    await waitedFor(store, DAY_MS - 600_000);
    expect(await first.ensure()).toBe('unchanged');
    // As where its lease has run out, by an absence of Valkey.
    leads = false;
    expect(await first.ensure()).toBe('unchanged');
    leads = true;
    expect(await first.ensure()).toBe('unchanged');

    const log = new LogBook();
    const restarted = newer({ pagesWait, log });
    expect(await restarted.ensure()).toBe('unchanged');
    expect(log.lines).toHaveLength(1);
    expect(Number(log.lines[0]?.fields['waitedMs'])).toBeGreaterThanOrEqual(DAY_MS - 600_000);
    expect(await newer({ pagesWait: store.pagesWait('proxy:b') }).ensure()).toBe('unchanged');
    expect(await echo(socket, 'still here')).toBe('still here');
    await waitedFor(store, DAY_MS);
    expect(await restarted.ensure()).toBe('written');
    expect(await page()).toContain('Corrected');
    expect(await pagesWait.waitedMs()).toBeLessThan(600_000);
  });

  it('waits from the start for what comes after pages that nobody wants any more, as who leads says', async () => {
    await using store = await startStore();
    const pagesWait = store.pagesWait('proxy:a');
    expect(await newer({ pagesWait }).ensure()).toBe('unchanged');
    await waitedFor(store, DAY_MS);
    const before = { ...world.options, pagesWait };
    expect(await new CaddyProxy({ ...before, mayReplace: () => Promise.resolve(false) }).ensure()).toBe('unchanged');
    expect(await pagesWait.waitedMs()).toBeGreaterThanOrEqual(DAY_MS);

    expect(await new CaddyProxy(before).ensure()).toBe('unchanged');
    expect(await newer({ pagesWait }).ensure()).toBe('unchanged');
    expect(await echo(socket, 'still here')).toBe('still here');
  });

  it('is written at once where an operator takes ours out of Caddy', async () => {
    const proxy = newer();
    expect(await proxy.ensure()).toBe('unchanged');
    await admin(world.options.adminUrl, 'DELETE', `${servers}/demo`);
    expect(await proxy.ensure()).toBe('written');
    expect(await page()).toContain('Corrected');
  });

  it('is in order where nobody can say whose it is', async () => {
    const proxy = new CaddyProxy({ ...world.options, mayReplace: () => Promise.reject(new Error('no Valkey')) });
    expect(await proxy.ensure()).toBe('unchanged');
  });

  it('is taken for sound beside a server whose pages wait, by whatever templates one looks', async () => {
    const { wanted } = newer();
    const ofOtherTemplates = { allowedOrigins: ['https://shop.example.test'] };
    const beside = newer({ ...ofOtherTemplates, wantedByServers: () => Promise.resolve([wanted]) });
    expect(await beside.check()).toBe('other_pages');

    const older = newer({
      ...ofOtherTemplates,
      wantedByServers: () => Promise.resolve([{ wants: wanted.wants }]),
    });
    expect(await older.check()).toBe('different');
  });
});
