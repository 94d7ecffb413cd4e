import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createPlainServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer } from 'node:tls';
import type { BrowserContext } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Releasers } from '../../src/lifecycle/releasers.ts';
import { Authority } from '../support/certificates.ts';
import { launchChromium, whyWithoutChromium } from '../support/chromium.ts';
import { startHttp } from '../support/http-server.ts';
import { silent } from '../support/store.ts';

const why = whyWithoutChromium('cookies that have piled up');
const releasers = new Releasers();
let siteOf: (host: string) => string;
let context: BrowserContext;

/** The start page as `try.example.test`; what runs in an instance, the operator's own site, and a stranger's. */
beforeAll(async () => {
  if (why !== undefined) return;
  const start = await startHttp();
  releasers.push('start page', () => start[Symbol.asyncDispose]());
  const others = createPlainServer(otherSites).on('upgrade', openWithCookies).listen(0, '127.0.0.1');
  await once(others, 'listening');
  releasers.push('other sites', () => void others.close());
  const dir = await mkdtemp(join(tmpdir(), 'piled-cookies-'));
  releasers.push('certificates', () => rm(dir, { recursive: true }));
  const { cert, key } = await (await Authority.create(dir)).certify('DNS:example.test');
  const tls = createTlsServer({ cert, key }, (secure) => {
    const inner = connect(
      secure.servername === 'try.example.test' ? start.port : (others.address() as AddressInfo).port,
      '127.0.0.1',
    );
    secure.pipe(inner).pipe(secure);
    secure.on('error', () => inner.destroy());
    inner.on('error', () => secure.destroy());
  }).listen(0, '127.0.0.1');
  await once(tls, 'listening');
  releasers.push('TLS', () => void tls.close());
  const { port } = tls.address() as AddressInfo;
  siteOf = (host) => `https://${host}:${port}`;
  const browser = await launchChromium(['--host-resolver-rules=MAP *.test 127.0.0.1']);
  releasers.push('browser', () => browser.close());
  context = await browser.newContext({ ignoreHTTPSErrors: true });
});
afterAll(() => releasers.releaseAll(silent));

function otherSites({ headers: { host = '' } }: IncomingMessage, response: ServerResponse): void {
  response.setHeader('content-type', 'text/html');
  if (host.startsWith('www.'))
    response.setHeader('set-cookie', [
      'login=mine; Domain=example.test; Path=/; Secure; HttpOnly',
      'theme=dark; Domain=example.test; Path=/; Secure',
    ]);
  response.end('<!doctype html><title>x</title>');
}

/** What a hostile app answers a WebSocket with. */
function openWithCookies({ headers }: IncomingMessage, socket: Duplex): void {
  const accept = createHash('sha1')
    .update(`${headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest('base64');
  const cookies = Array.from(
    { length: 8 },
    (_, at) => `Set-Cookie: h${at}=${'x'.repeat(4_000)}; Domain=example.test; Path=/; Secure; HttpOnly`,
  );
  socket.write(
    ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade', `Sec-WebSocket-Accept: ${accept}`]
      .concat(cookies, '', '')
      .join('\r\n'),
  );
}

/** Of what others have set. */
const names = async (): Promise<string[]> =>
  (await context.cookies())
    .map(({ name }) => name)
    .filter((name) => name !== 'try-it-now-visitor')
    .toSorted();

async function pileFor(path: string): Promise<void> {
  const page = await context.newPage();
  await page.goto(siteOf('instance.demo.example.test'));
  await page.evaluate(`for (let nth = 0; nth < 8; nth += 1)
    document.cookie = 'n' + nth + '=' + 'x'.repeat(4_000) + '; Domain=example.test; Path=${path}; Secure';`);
  await expect.poll(names).toContain('n7');
  await page.close();
}

describe.skipIf(why !== undefined)('a request that is too large', () => {
  beforeEach(() => context.clearCookies());

  it.each([15_000, 15_700, 16_100])("costs no cookie, of %i characters for another site's page", async (length) => {
    const page = await context.newPage();
    await page.goto(siteOf('www.example.test'));
    await page.goto(siteOf('stranger.test'));
    const long = `${siteOf('try.example.test')}/${'a'.repeat(length)}`;
    await page.evaluate(`new Promise((resolve) => {
      const image = document.createElement('img');
      image.addEventListener('error', () => resolve());
      image.src = '${long}';
    })`);
    expect(await names()).toEqual(['login', 'theme']);
    await page.goto(long);
    expect(await names()).toEqual(['login', 'theme']);
    await page.close();
  });

  it('loses the cookies that scripts of an instance piled up, of whatever kind, and no others', async () => {
    const page = await context.newPage();
    await page.goto(siteOf('www.example.test'));
    await page.goto(siteOf('instance.demo.example.test'));
    await page.evaluate(`const shared = '; Domain=example.test; Path=/; Secure';
    for (const [at, kind] of ['', '; Path=/problems', '; Partitioned', '; SameSite=Strict'].entries())
      for (let nth = 0; nth < 8; nth += 1)
        document.cookie = '__Secure-' + at + nth + '=' + 'x'.repeat(4_000) + shared + kind;
    document.cookie = 'ü' + '=' + 'y'.repeat(4_000) + shared;
    document.cookie = '=' + 'y'.repeat(4_000) + shared;`);
    await expect
      .poll(names)
      .toEqual(expect.arrayContaining(['', 'ü', '__Secure-07', '__Secure-17', '__Secure-27', '__Secure-37']));
    const address = `${siteOf('try.example.test')}/problems/pool_empty`;
    expect((await page.goto(address))?.status()).toBe(431);
    expect((await page.goto(address))?.status()).toBe(200);
    expect(await names()).toEqual(['login', 'theme']);
    await page.close();
  });

  it('loses all that a browser keeps of them, part by part', async () => {
    const page = await context.newPage();
    await page.goto(siteOf('instance.demo.example.test'));
    await page.evaluate(`for (let nth = 0; nth < 150; nth += 1)
      document.cookie = 'n' + nth + '=' + 'x'.repeat(4_080) + '; Domain=example.test; Path=/; Secure';`);
    await expect.poll(names).toHaveLength(150);
    const start = siteOf('try.example.test');
    expect((await page.goto(start))?.status()).toBe(431);
    await expect.poll(async () => (await page.goto(start))?.status()).toBe(200);
    await page.close();
  });

  it.each(['/assets', '/live', '/api', '/try'])('loses them where no page is asked for (%s)', async (path) => {
    const page = await context.newPage();
    await page.goto(siteOf('www.example.test'));
    await page.goto(siteOf('try.example.test'));
    await pileFor(path);
    const ask = `fetch('${path}/x').then(({ status }) => status)`;
    expect([await page.evaluate(ask), await page.evaluate(ask)]).toEqual([431, 404]);
    expect(await names()).toEqual(['login', 'theme']);
    await page.close();
  });

  it('has its styles and scripts again where cookies had piled up for their path', async () => {
    const page = await context.newPage();
    await page.goto(siteOf('www.example.test'));
    await pileFor('/assets');
    await page.goto(siteOf('try.example.test'));
    expect(await names()).toEqual(['login', 'theme']);
    const failed: string[] = [];
    page.on('response', (answer) => {
      if (!answer.ok()) failed.push(answer.url());
    });
    await page.reload();
    expect(failed).toEqual([]);
    await page.close();
  });

  it('loses those that only a handshake can set, which no script sees', async () => {
    const page = await context.newPage();
    await page.goto(siteOf('www.example.test'));
    await page.goto(siteOf('instance.demo.example.test'));
    await page.evaluate(`new Promise((resolve) => {
      new WebSocket(location.origin.replace('https', 'wss')).addEventListener('open', () => resolve());
    })`);
    await expect.poll(names).toContain('h7');
    const start = siteOf('try.example.test');
    expect((await page.goto(start))?.status()).toBe(431);
    expect((await page.goto(start))?.status()).toBe(200);
    expect(await names()).toEqual(['login', 'theme']);
    await page.close();
  });

  it("loses them in a frame of another site's page, kept for that site alone or not", async () => {
    const page = await context.newPage();
    await page.goto(siteOf('shop.test'));
    const show = async (address: string): Promise<number | undefined> => {
      const answer = page.waitForResponse(address);
      await page.evaluate(`frame.src = '${address}'`);
      return (await answer).status();
    };
    await page.evaluate(`window.frame = document.body.appendChild(document.createElement('iframe'))`);
    await show(`${siteOf('instance.demo.example.test')}/`);
    await expect
      .poll(() => page.frames().map((frame) => new URL(frame.url()).hostname))
      .toContain('instance.demo.example.test');
    const instance = page.frames().find((frame) => frame.url().includes('instance.demo'));
    await instance?.evaluate(`for (const [at, kind] of ['', '', '', '; Partitioned', '; Partitioned'].entries())
      document.cookie = 'f' + at + '=' + 'x'.repeat(4_000) +
        '; Domain=example.test; Path=/; Secure; SameSite=None' + kind;`);
    await expect.poll(names).toEqual(['f0', 'f1', 'f2', 'f3', 'f4']);
    const address = `${siteOf('try.example.test')}/problems/pool_empty`;
    expect(await show(address)).toBe(431);
    expect(await names()).toEqual([]);
    expect(await show(address)).toBe(200);
    await page.close();
  });
});
