import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, BrowserContext, BrowserContextOptions, FrameLocator, Page } from 'playwright-core';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { Releasers } from '../../src/lifecycle/releasers.ts';
import { launchChromium, newPageWithoutForeignCookies } from './chromium.ts';
import { FakeDemos } from './fake-demos.ts';
import { startHttp, type RunningServer } from './http-server.ts';
import { startProxyWorld, startUpstream, type ProxyWorld, type Upstream } from './proxy.ts';
import { silent } from './store.ts';
import { template } from './templates.ts';

const LOGIN = '/login?to={open}';

/** Refuses every frame, and knows whoever has come by its way in as long as the browser keeps its cookie. */
const app: RequestListener = (request, response) => {
  const { pathname } = new URL(request.url ?? '/', 'http://app.invalid');
  response.setHeader('x-frame-options', 'DENY');
  response.setHeader('content-security-policy', "frame-ancestors 'none'");
  if (pathname === '/login') {
    response.setHeader('set-cookie', 'session=one; Path=/; HttpOnly; SameSite=Lax');
    response.writeHead(302, { location: '/' }).end();
    return;
  }
  const who = request.headers.cookie?.includes('session=one') === true ? 'signed in' : 'a stranger';
  response.setHeader('content-type', 'text/html').end(`<title>app</title><h1>${who} at ${pathname}</h1>
<a href="/next">next</a> <a href="https://evil.invalid/" target="_top">away</a>`);
};

/** A page of another site (127.0.0.1, while all of ours is below localhost) with our component, in Chromium. */
export class EmbeddingSite {
  readonly #outer = new Releasers();
  url = '';
  startPort = 0;
  browser!: Browser;
  world!: ProxyWorld;
  upstream!: Upstream;
  http!: RunningServer;
  context!: BrowserContext;
  page!: Page;
  /** What the site shows, under which policy. */
  shown = { body: '', policy: '' };
  /** What a policy has stopped. */
  blocked: string[] = [];

  /** Once for all tests. */
  async begin(): Promise<void> {
    this.startPort = await freePort();
    const site = this.#site();
    await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
    this.#outer.push('site', async () => {
      site.closeAllConnections();
      await new Promise((resolve) => site.close(resolve));
    });
    this.world = await startProxyWorld(this.#outer, { publicUrl: this.start(), allowedOrigins: [this.url] });
    this.upstream = await startUpstream(this.#outer, app);
    await this.world.names.publish(this.upstream.label, this.upstream.port);
    this.browser = await launchChromium();
    this.#outer.push('browser', () => this.browser.close());
  }

  async end(): Promise<void> {
    await this.#outer.releaseAll(silent);
  }

  #site(): Server {
    return createServer((request, response) => {
      if (request.url === '/cookie') {
        response
          .setHeader('set-cookie', 'plain=1; Secure; SameSite=None')
          .writeHead(303, { location: '/cookies' })
          .end();
        return;
      }
      if (request.url === '/cookies') {
        response.end(`cookies: ${request.headers.cookie ?? 'none'}`);
        return;
      }
      if (this.shown.policy !== '') response.setHeader('content-security-policy', this.shown.policy);
      response.setHeader('content-type', 'text/html; charset=utf-8')
        .end(`<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>Docs</title><main>${this.shown.body}</main></html>`);
    });
  }

  /** Before each test: our server, with the apps `shop`, `other` and, shown in no frame, `bare`. */
  async serve(): Promise<void> {
    const activation = { kind: 'http', path: '/activate', timeoutMs: 1_000 } as const;
    const ttl = { defaultMs: 1_800_000, maxMs: 2_700_000 };
    const may = { openAllow: ['/cart'], allowedOrigins: [this.url] };
    const shop = template({ name: 'shop', title: 'Shop', ttl, frame: 'auto', activation, ...may });
    const demos = new FakeDemos([
      shop,
      { ...shop, name: 'bare', title: 'Bare', frame: 'off' },
      { ...shop, name: 'other' },
    ]);
    demos.newLabel = () => this.upstream.label;
    demos.urlOf = (label) => `http://${label}.localhost:${this.world.proxyPort}/`;
    const enter = demos.enter.bind(demos);
    let given = false;
    demos.enter = (view, open) => {
      if (!given) demos.landings.set(view.instance.id, LOGIN);
      given = true;
      return enter(view, open);
    };
    this.shown = { body: '', policy: '' };
    this.http = await startHttp({ demos, port: this.startPort, publicUrl: this.start() });
  }

  /** After each test. */
  async leave(): Promise<void> {
    await this.context.close();
    await this.http[Symbol.asyncDispose]();
  }

  readonly start = () => `http://localhost:${this.startPort}`;
  readonly instance = () => [...this.http.demos.instances.values()].at(-1);
  readonly bar = (): FrameLocator => this.page.frameLocator('iframe');
  readonly inApp = (): FrameLocator => this.bar().frameLocator('iframe');
  readonly events = async () => JSON.parse(await this.page.evaluate<string>('JSON.stringify(events)')) as unknown[][];
  readonly click = () => this.page.getByRole('button', { name: 'Try it now' }).click();

  /** Opens the page of the other site with a button for `attributes`. */
  readonly open = async (attributes = 'template="shop"', options: BrowserContextOptions = {}, policy = '') => {
    const script = `for (const name of ['ready', 'queue', 'ending', 'ended', 'error'])
  document.querySelector('try-it-now').addEventListener(name, ({ detail }) => (events ??= []).push([name, detail]));`;
    this.shown = {
      policy,
      body: `<h1>Docs of the shop</h1><p>Have a look:</p><try-it-now ${attributes}></try-it-now>
<script nonce="n">var events = []; ${script}</script><script src="${this.start()}/embed.js" async></script>`,
    };
    this.context = await this.browser.newContext({ viewport: { width: 1_280, height: 800 }, ...options });
    this.page = await newPageWithoutForeignCookies(this.context);
    this.blocked = [];
    this.page.on('console', (message) => {
      if (/Content Security Policy|Trusted/.test(message.text())) this.blocked.push(message.text());
    });
    await this.page.goto(this.url);
  };
}
