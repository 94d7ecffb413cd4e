import { once } from 'node:events';
import { createServer as createPlainServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import type { BrowserContext } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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
  const others = createPlainServer(otherSites).listen(0, '127.0.0.1');
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

const names = async (): Promise<string[]> => (await context.cookies()).map(({ name }) => name).toSorted();

describe.skipIf(why !== undefined)('a request that is too large', () => {
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
    document.cookie = '=' + 'y'.repeat(4_000) + shared;`);
    expect(await names()).toEqual(
      expect.arrayContaining(['', '__Secure-07', '__Secure-17', '__Secure-27', '__Secure-37']),
    );
    const address = `${siteOf('try.example.test')}/problems/pool_empty`;
    expect((await page.goto(address))?.status()).toBe(431);
    expect((await page.goto(address))?.status()).toBe(200);
    expect(await names()).toEqual(['login', 'theme']);
    await page.close();
  });
});
