import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeDemos } from '../../test/support/fake-demos.ts';
import { startHttp, type RunningServer } from '../../test/support/http-server.ts';
import { PageVisitor, handedOverTo } from '../../test/support/page-visitor.ts';
import { template } from '../../test/support/templates.ts';

let http: RunningServer;
let visitor: PageVisitor;
const open = async (options: Parameters<typeof startHttp>[0]) => {
  http = await startHttp(options);
  visitor = new PageVisitor(http.url);
};
afterEach(() => http[Symbol.asyncDispose]());
const taken = () => http.demos.instances.size;

describe('a link to a page of the app', () => {
  beforeEach(() => open({ demos: new FakeDemos([template({ name: 'shop', openAllow: ['/cart', '/find?q=*'] })]) }));
  const url = (path: string) => http.demos.url([...http.demos.instances.values()][0]?.label ?? '').replace(/\/$/, path);

  it('shows the button, takes nothing by itself, and lands there on the click', async () => {
    const text = await (await visitor.send('GET', '/try/shop?open=/find%3Fq%3Da')).text();
    expect(text).toContain('action="/try/shop?open=%2Ffind%3Fq%3Da"');
    expect(taken()).toBe(0);
    expect(await handedOverTo(await visitor.send('POST', '/try/shop?open=%2Ffind%3Fq%3Da'))).toBe(url('/find?q=a'));
    expect(await (await visitor.send('GET', '/try/shop?open=/cart')).text()).toContain(`href="${url('/cart')}"`);
  });

  it('survives the wait', async () => {
    http.demos.ready.set('shop', 0);
    await visitor.send('GET', '/');
    const click = await visitor.send('POST', '/try/shop?open=/cart');
    const waitUrl = click.headers.get('location') ?? '';
    expect(waitUrl).toBe('/wait/shop?open=%2Fcart');
    expect(await (await visitor.send('GET', waitUrl)).text()).toContain('data-try-url="/try/shop?open=%2Fcart"');
    http.demos.ready.set('shop', 1);
    expect(await handedOverTo(await visitor.send('GET', waitUrl))).toBe(url('/cart'));
  });

  it('that the template does not allow is refused before anything is taken', async () => {
    for (const method of ['GET', 'POST']) {
      const answer = await visitor.send(method, '/try/shop?open=//evil.example/');
      expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining('That link leads nowhere')]);
    }
    expect(taken()).toBe(0);
  });
});

describe('an app that signs its visitors in', () => {
  const activation = { kind: 'http', path: '/activate', timeoutMs: 1_000 } as const;
  beforeEach(() => open({ demos: new FakeDemos([template({ name: 'shop', activation, openAllow: ['/cart'] })]) }));
  const click = async (path = '/try/shop') => {
    const way = await handedOverTo(await visitor.send('POST', path));
    const [id = ''] = http.demos.instances.keys();
    http.demos.landings.set(id, '/login?token=secret&to={open}');
    return way ?? '';
  };
  const locationOf = async (path: string, headers = {}) => {
    const answer = await visitor.send('GET', path, { headers });
    return [answer.status, answer.headers.get('location'), answer.headers.get('referrer-policy')];
  };
  const instanceUrl = (path: string) =>
    http.demos.url([...http.demos.instances.values()][0]?.label ?? '').replace(/\/$/, path);

  it('does so once, at the page that was asked for, on the way that the click leads to', async () => {
    const way = await click('/try/shop?open=/cart');
    expect(way).toMatch(/^\/visit\/[\w-]{42}\/open\?open=%2Fcart$/);
    const first = instanceUrl('/login?token=secret&to=%2Fcart');
    expect(await locationOf(way)).toEqual([303, first, 'no-referrer']);
    expect(await locationOf(way)).toEqual([303, instanceUrl('/cart'), 'no-referrer']);
  });

  it('does not for a browser that only looks ahead', async () => {
    const way = await click();
    expect(await locationOf(way, { 'sec-purpose': 'prefetch' })).toEqual([503, null, null]);
    expect((await visitor.send('HEAD', way)).status).toBe(405);
    expect((await locationOf(way))[1]).toBe(instanceUrl('/login?token=secret&to=%2F'));
  });

  it('shows the way in to nobody: not on a page, not in a log, not with another token, not after the end', async () => {
    const way = await click();
    for (const path of ['/', '/try/shop'])
      expect(await (await visitor.send('GET', path)).text()).not.toContain('secret');
    const { label = '' } = [...http.demos.instances.values()][0] ?? {};
    expect((await visitor.send('GET', `/visit/${label}${'a'.repeat(22)}/open`)).status).toBe(404);
    expect((await visitor.send('GET', `/visit/${label}/open`)).status).toBe(404);
    await visitor.send('POST', '/end/shop');
    const ended = await visitor.send('GET', way);
    expect([ended.status, await ended.text()]).toEqual([404, expect.stringContaining('This copy has ended')]);
    const [, proof = way] = /^\/visit\/[a-z2-7]{20}([\w-]{22})/.exec(way) ?? [];
    expect(JSON.stringify(http.lines())).not.toMatch(new RegExp(`secret|${proof}`));
    expect(JSON.stringify(http.lines())).toContain('/visit/');
  });
});
