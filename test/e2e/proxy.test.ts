import { connect } from 'node:net';
import { Client, request } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CONNECT_LABEL } from '../../src/domain/address.ts';
import { HOST_LABEL_PATTERN, newHostLabel } from '../../src/domain/ids.ts';
import { launchCaddy } from '../../src/launcher/caddy.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { Releasers } from '../../src/lifecycle/releasers.ts';
import { NO_BRANDING } from '../../src/presentation/branding.ts';
import { en } from '../../src/presentation/languages/en.ts';
import { Languages } from '../../src/presentation/languages/languages.ts';
import { endedPage, LABEL_PLACE, lostPage, unreachablePage, type ProxyPage } from '../../src/proxy/pages.ts';
import { keys } from '../../src/store/keys.ts';
import { eventually } from '../support/eventually.ts';
import {
  discover,
  get,
  START_URL,
  startProxyWorld,
  startUpstream,
  startValkey,
  temporaryFolder,
} from '../support/proxy.ts';
import { launchChromium, whyWithoutChromium } from '../support/chromium.ts';
import { silent } from '../support/store.ts';

const html = { accept: 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8' };
const PAGES = { languages: new Languages(), branding: NO_BRANDING, startUrl: START_URL };
const englishOf = ({ pages: [{ html }] }: ProxyPage) => html;
const why = whyWithoutChromium('the pages of the proxy');
let releasers: Releasers;

beforeEach(() => {
  releasers = new Releasers();
});
afterEach(() => releasers.releaseAll(silent));

describe('a request through the proxy', () => {
  it('reaches the instance its host name stands for, and the page for ended demos once that is released', async () => {
    const world = await startProxyWorld(releasers);
    const one = await startUpstream(releasers, (_, response) => response.end('one'));
    const two = await startUpstream(releasers, (_, response) => response.end('two'));
    await world.names.publish(one.label, one.port);
    await world.names.publish(two.label, two.port);

    expect(await get(world.proxyPort, `${one.label}.localhost:${world.proxyPort}`)).toMatchObject({
      status: 200,
      body: 'one',
    });
    expect(await get(world.proxyPort, `${two.label.toUpperCase()}.LOCALHOST`)).toMatchObject({
      status: 200,
      body: 'two',
    });

    await world.names.withdraw(one.label);
    const ended = await eventually(async () => {
      const answer = await get(world.proxyPort, `${one.label}.localhost`, html);
      expect(answer.status).toBe(404);
      return answer;
    });
    expect(ended.body).toBe(englishOf(endedPage(PAGES)));
    expect(await get(world.proxyPort, `${two.label}.localhost`)).toMatchObject({ status: 200, body: 'two' });
  });

  it('finds the instance under a base domain of several labels', async () => {
    const world = await startProxyWorld(releasers, {
      address: { scheme: 'http', baseDomain: 'demo.example.test', port: undefined },
    });
    const app = await startUpstream(releasers, (_, response) => response.end('app'));
    await world.names.publish(app.label, app.port);

    expect(await get(world.proxyPort, `${app.label}.demo.example.test`)).toMatchObject({ status: 200, body: 'app' });
    expect((await get(world.proxyPort, `${newHostLabel()}.demo.example.test`)).status).toBe(404);
    expect((await get(world.proxyPort, `${app.label}.example.test`)).status).toBe(302);
    expect((await get(world.proxyPort, `x.${app.label}.demo.example.test`)).status).toBe(302);
  });

  it('gets a page for people and a problem body for programs where there is no instance', async () => {
    const world = await startProxyWorld(releasers);
    const host = `${newHostLabel()}.localhost`;

    const forPeople = await get(world.proxyPort, host, html);
    expect(forPeople).toMatchObject({ status: 404, body: englishOf(endedPage(PAGES)) });
    expect(forPeople.headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'same-origin',
    });
    expect(forPeople.headers['server']).toBeUndefined();

    const languageFor = async (accepted: string) => {
      const answer = await get(world.proxyPort, host, { ...html, 'accept-language': accepted });
      expect(answer.headers['vary']).toBe('Accept, Accept-Language');
      return /<html lang="(\w+)"/.exec(answer.body)?.[1];
    };
    for (const accepted of ['de', 'DE-at,en;q=0.9', 'fr-FR,fr;q=0.9,de;q=0.8,en;q=0.7'])
      expect([accepted, await languageFor(accepted)]).toEqual([accepted, 'de']);
    for (const accepted of ['en-GB,de;q=0.5', 'fr', 'den', '', '*'])
      expect([accepted, await languageFor(accepted)]).toEqual([accepted, 'en']);

    const forPrograms = await get(world.proxyPort, host, { accept: '*/*' });
    expect(forPrograms.headers['content-type']).toBe('application/problem+json');
    expect(JSON.parse(forPrograms.body)).toMatchObject({ status: 404, code: 'unknown_hostname' });
  });

  it('gets its page in the language that the start page has for it', async () => {
    const tags = ['de', 'de-CH', 'pt-BR', 'zh-Hant'];
    const languages = new Languages([{ tag: 'en', messages: en }, ...tags.map((tag) => ({ tag, messages: en }))]);
    const world = await startProxyWorld(releasers, { languages });
    const host = `${newHostLabel()}.localhost`;
    for (const [accepted, tag] of [
      ['pt-PT,pt;q=0.8,en-US;q=0.5,en;q=0.3', 'pt-BR'],
      ['pt-br', 'pt-BR'],
      ['pt-PT,en;q=0.5', 'en'],
      ['de-CH,de;q=0.9', 'de-CH'],
      ['de-ch-1996', 'de-CH'],
      ['de', 'de'],
      ['de-AT,en;q=0.9,de;q=0.8', 'de'],
      ['fr,de-CH;q=0.9', 'de-CH'],
      ['zh-Hant-TW,zh;q=0.9', 'zh-Hant'],
      ['zh-TW,zh;q=0.9,en;q=0.8', 'zh-Hant'],
      ['den,ptx,en;q=0.5', 'en'],
      ['fr', 'en'],
    ] as const) {
      const { body } = await get(world.proxyPort, host, { ...html, 'accept-language': accepted });
      const shown = /<html lang="([\w-]+)"/.exec(body)?.[1];
      expect([accepted, shown, languages.accepted(accepted).tag]).toEqual([accepted, tag, tag]);
    }
  });

  it('is told to come back when the instance does not answer', async () => {
    const world = await startProxyWorld(releasers);
    const app = await startUpstream(releasers, (_, response) => response.end('app'));
    await world.names.publish(app.label, app.port);
    expect((await get(world.proxyPort, `${app.label}.localhost`)).status).toBe(200);
    await app.stop();

    const forPeople = await get(world.proxyPort, `${app.label}.localhost`, html);
    expect(forPeople).toMatchObject({ status: 503, body: englishOf(unreachablePage(PAGES)) });
    expect(forPeople.headers['retry-after']).toBe('3');
    expect(JSON.parse((await get(world.proxyPort, `${app.label}.localhost`)).body)).toMatchObject({
      status: 503,
      code: 'instance_unreachable',
    });
  });

  it.skipIf(why !== undefined)('is let in by the page itself once the instance answers', async () => {
    const world = await startProxyWorld(releasers);
    const { label } = await startUpstream(releasers, (_, response) => response.end('gone'));
    const vacant = await startUpstream(releasers, (_, response) => response.end('gone'));
    await vacant.stop();
    await world.names.publish(label, vacant.port);
    const browser = await launchChromium();
    releasers.push('browser', () => browser.close());
    const page = await browser.newPage();
    const complaints: string[] = [];
    page.on('console', (message) => {
      if (/policy|refused/i.test(message.text())) complaints.push(message.text());
    });
    await page.goto(`http://${label}.localhost:${world.proxyPort}/`);
    await page.getByRole('heading', { name: 'One moment' }).waitFor();
    await page.waitForResponse((response) => response.request().resourceType() === 'fetch');
    await world.names.withdraw(label);
    await page.getByRole('heading', { name: 'This copy has ended' }).waitFor();
    expect(complaints).toEqual([]);
  });

  it('is told that the host is lost once that is so', async () => {
    const world = await startProxyWorld(releasers);
    const app = await startUpstream(releasers, (_, response) => response.end('app'));
    const vacant = await startUpstream(releasers, (_, response) => response.end('gone'));
    await vacant.stop();
    const host = `${vacant.label}.localhost`;
    await world.names.publish(app.label, app.port);
    await world.names.publish(vacant.label, vacant.port);
    await world.names.valkey.hset(keys.lostNodes, 'node0', '1');
    await eventually(async () => expect(await world.discovery.isLive(vacant.label)).toBe('lost'));
    // Only the servers miss the node: who gets through notices nothing.
    expect(await get(world.proxyPort, `${app.label}.localhost`)).toMatchObject({ status: 200, body: 'app' });

    expect(await get(world.proxyPort, host, html)).toMatchObject({
      status: 503,
      headers: { 'retry-after': '5' },
      body: englishOf(lostPage(PAGES)).replaceAll(LABEL_PLACE, vacant.label),
    });
    expect(JSON.parse((await get(world.proxyPort, host)).body)).toMatchObject({
      code: 'instance_host_lost',
      detail: expect.stringContaining(`${START_URL}again/${vacant.label}`) as string,
    });
  });

  it.skipIf(why !== undefined)('is let in by the page of a lost host once the instance is back', async () => {
    const world = await startProxyWorld(releasers);
    const app = await startUpstream(releasers, (_, response) => response.end('app'));
    const vacant = await startUpstream(releasers, (_, response) => response.end('gone'));
    await vacant.stop();
    await world.names.publish(vacant.label, vacant.port);
    await world.names.valkey.hset(keys.lostNodes, 'node0', '1');
    await eventually(async () => expect(await world.discovery.isLive(vacant.label)).toBe('lost'));
    const browser = await launchChromium();
    releasers.push('browser', () => browser.close());
    const page = await browser.newPage();
    await page.goto(`http://${vacant.label}.localhost:${world.proxyPort}/`);
    await page.getByRole('link', { name: 'Get a new copy' }).waitFor();
    await world.names.publish(vacant.label, app.port);
    await page.getByText('app', { exact: true }).waitFor();
  });

  it('says that the instance has ended as soon as it has, while Caddy still remembers where it was', async () => {
    const world = await startProxyWorld(releasers);
    const app = await startUpstream(releasers, (_, response) => response.end('app'));
    await world.names.publish(app.label, app.port);
    expect((await get(world.proxyPort, `${app.label}.localhost`)).status).toBe(200);
    await world.names.withdraw(app.label);
    await eventually(async () => expect(await world.discovery.isLive(app.label)).toBe('unknown'));
    await app.stop();

    const forPeople = await get(world.proxyPort, `${app.label}.localhost`, html);
    expect(forPeople).toMatchObject({ status: 404, body: englishOf(endedPage(PAGES)) });
    const posted = await request(`http://127.0.0.1:${world.proxyPort}/form`, {
      method: 'POST',
      headers: { host: `${app.label}.localhost`, connection: 'close' },
      body: 'name=value',
    });
    expect([posted.statusCode, await posted.body.json()]).toMatchObject([404, { code: 'unknown_hostname' }]);
    const socket = {
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    };
    const upgraded = await get(world.proxyPort, `${app.label}.localhost`, { ...socket, connection: 'Upgrade' });
    expect(upgraded.status).toBe(404);
  });

  it('is not told that an instance has ended while nobody can say so', async () => {
    const world = await startProxyWorld(releasers);
    await world.valkey.server.stop();
    const label = newHostLabel();
    await eventually(async () => expect(await world.discovery.isLive(label)).toBe('unsure'));

    expect(await get(world.proxyPort, `${label}.localhost`, html)).toMatchObject({
      status: 503,
      body: englishOf(unreachablePage(PAGES)),
    });
  });

  it('is sent from the base domain to the start page, but never in a circle', async () => {
    const proxyPort = await freePort();
    const world = await startProxyWorld(releasers, {
      listen: `127.0.0.1:${proxyPort}`,
      publicUrl: `http://localhost:${proxyPort}`,
    });

    expect((await get(proxyPort, 'localhost')).headers.location).toBe(`http://localhost:${proxyPort}/`);
    expect(await get(proxyPort, `localhost:${proxyPort}`)).toMatchObject({ status: 404 });
    expect(world.baseDomain).toBe('localhost');
  });

  it('can connect before it has an instance, to a name that none can have', async () => {
    const world = await startProxyWorld(releasers);
    const answer = await get(world.proxyPort, `${CONNECT_LABEL}.localhost`, html);
    expect([answer.status, answer.body, answer.headers['cache-control']]).toEqual([204, '', 'no-store']);
    expect(CONNECT_LABEL).not.toMatch(new RegExp(HOST_LABEL_PATTERN));
  });

  it('hands the app an error page of its own unchanged', async () => {
    const world = await startProxyWorld(releasers);
    const app = await startUpstream(releasers, (_, response) =>
      response.writeHead(503, { 'retry-after': '99' }).end('my own words'),
    );
    await world.names.publish(app.label, app.port);

    const answer = await get(world.proxyPort, `${app.label}.localhost`, html);
    expect(answer).toMatchObject({ status: 503, body: 'my own words' });
    expect(answer.headers['retry-after']).toBe('99');
  });

  it('is told who asks by a trusted proxy in front', async () => {
    const world = await startProxyWorld(releasers, { trustedProxies: ['127.0.0.0/8'] });
    const app = await startUpstream(releasers, (incoming, response) => response.end(JSON.stringify(incoming.headers)));
    await world.names.publish(app.label, app.port);

    const seen: unknown = JSON.parse(
      (await get(world.proxyPort, `${app.label}.localhost`, { 'x-forwarded-for': '203.0.113.9' })).body,
    );
    expect(seen).toMatchObject({ 'x-forwarded-for': '203.0.113.9, 127.0.0.1' });
  });

  it('cannot be given a cookie that other instances would see, and keeps the host name out of referrers', async () => {
    const world = await startProxyWorld(releasers);
    const app = await startUpstream(releasers, (_, response) => {
      response.setHeader('set-cookie', [
        'a=1; Domain=localhost; Path=/; HttpOnly',
        'b=2;domain=.localhost',
        'd=4; Domain = localhost; Path=/',
        'e=5;\tdOmAiN\t=\t.localhost',
        'c=domain; Path=/',
      ]);
      response.setHeader('server', 'app/1');
      response.end();
    });
    await world.names.publish(app.label, app.port);

    const { headers } = await get(world.proxyPort, `${app.label}.localhost`);
    expect(headers['set-cookie']).toEqual(['a=1; Path=/; HttpOnly', 'b=2', 'd=4; Path=/', 'e=5', 'c=domain; Path=/']);
    expect(headers).toMatchObject({
      'referrer-policy': 'same-origin',
      'x-robots-tag': 'noindex, nofollow',
      server: 'app/1',
    });
  });

  it('cannot have browsers delete the cookies of the whole site', async () => {
    const world = await startProxyWorld(releasers);
    let sent: string | string[] = '';
    const app = await startUpstream(releasers, (_, response) => response.setHeader('clear-site-data', sent).end());
    await world.names.publish(app.label, app.port);
    const passedOn: [string | string[], string][] = [
      ['"cookies"', ''],
      ['"*"', '"cache", "storage"'],
      ['"cache", "cookies", "storage"', '"cache", "storage"'],
      ['"storage","Cookies"', '"storage"'],
      ['"cookies" , "executionContexts"', '"executionContexts"'],
      [['"cache"', '"cookies"', ' "cookies", "*"'], '"cache", , "cache", "storage"'],
      ['"cache"', '"cache"'],
    ];
    for (const [header, received] of passedOn) {
      sent = header;
      const { headers } = await get(world.proxyPort, `${app.label}.localhost`);
      expect(String(headers['clear-site-data']).trim(), String(header)).toBe(received);
    }
  });

  it('cannot have the proxy keep large heads of answers', async () => {
    const world = await startProxyWorld(releasers);
    const app = await startUpstream(releasers, ({ url }, response) => {
      response.writeHead(200, { x: 'y'.repeat(url === '/large' ? 70_000 : 50_000) }).end('mine');
    });
    await world.names.publish(app.label, app.port);
    const client = new Client(`http://127.0.0.1:${world.proxyPort}`, { maxHeaderSize: 1_000_000 });
    releasers.push('client', () => client.destroy());
    const statusOf = async (path: string): Promise<number> => {
      const { statusCode, body } = await client.request({
        method: 'GET',
        path,
        headers: { host: `${app.label}.localhost` },
      });
      await body.dump();
      return statusCode;
    };
    expect([await statusOf('/usual'), await statusOf('/large')]).toEqual([200, 503]);
  });

  it('gets a streamed answer as it is written', async () => {
    const world = await startProxyWorld(releasers);
    let finish = (): void => undefined;
    const app = await startUpstream(releasers, (_, response) => {
      response.write('first');
      finish = () => response.end('last');
    });
    await world.names.publish(app.label, app.port);

    const socket = connect(world.proxyPort, '127.0.0.1');
    releasers.push('client', () => socket.destroy());
    let received = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      received += chunk;
    });
    socket.write(`GET / HTTP/1.1\r\nHost: ${app.label}.localhost\r\nConnection: close\r\n\r\n`);
    await eventually(() => expect(received).toContain('first'));
    expect(received).not.toContain('last');
    finish();
    await eventually(() => expect(received).toContain('last'));
  });
});

describe('while a part is unavailable', () => {
  it('instances are reached without Valkey, and again once discovery was restarted', async () => {
    const world = await startProxyWorld(releasers);
    const app = await startUpstream(releasers, (_, response) => response.end('app'));
    const host = `${app.label}.localhost`;
    await world.names.publish(app.label, app.port);
    await eventually(() => expect(world.discovery.stats().hostnames).toBe(1));

    await world.valkey.server.stop();
    await eventually(() => expect(world.discovery.stats().inStep).toBe(false));
    expect(await get(world.proxyPort, host)).toMatchObject({ status: 200, body: 'app' });

    const valkeyPort = Number(world.valkey.address.split(':')[1]);
    await startValkey(releasers, valkeyPort);
    await world.names.addNode();
    await world.names.publish(app.label, app.port);
    await world.discovery.close();
    await eventually(async () => expect((await get(world.proxyPort, host)).status).toBe(404));
    await discover(releasers, valkeyPort, { listen: { port: world.discovery.address.port } });
    await eventually(async () => expect(await get(world.proxyPort, host)).toMatchObject({ status: 200, body: 'app' }));
  });

  it('a Caddy that comes back empty is given its server again', async () => {
    const world = await startProxyWorld(releasers);
    const app = await startUpstream(releasers, (_, response) => response.end('app'));
    await world.names.publish(app.label, app.port);
    await world.caddy.server.stop();
    const again = await launchCaddy({
      dir: await temporaryFolder(releasers),
      adminPort: Number(new URL(world.caddy.adminUrl).port),
    });
    releasers.push('caddy again', () => again.server.stop());

    expect(await world.proxy.ensure()).toBe('written');
    expect(await get(world.proxyPort, `${app.label}.localhost`)).toMatchObject({ status: 200, body: 'app' });
  });
});
