import { expect, it } from 'vitest';
import { FakeDemos } from '../../test/support/fake-demos.ts';
import { startHttp } from '../../test/support/http-server.ts';
import { PageVisitor } from '../../test/support/page-visitor.ts';
import { template } from '../../test/support/templates.ts';

const SITE = 'https://docs.example.org';
const CLICK = '/try/shop?open=%2Fcart';

it('is sent again from our page, which sets no cookie, and finds the visit that its visitor has', async () => {
  const shop = template({ name: 'shop', allowedOrigins: [SITE], openAllow: ['/cart'], frame: 'auto' });
  await using http = await startHttp({ demos: new FakeDemos([shop]) });
  const visitor = new PageVisitor(http.url);
  const visits = new Set<string | null>();
  for (let times = 0; times < 3; times += 1) {
    const before = visitor.setCookies.length;
    const asked = await visitor.send('POST', CLICK, { headers: { origin: SITE, 'sec-fetch-site': 'cross-site' } });
    const text = await asked.text();
    expect([asked.status, visitor.setCookies.length, http.demos.count('acquireOrWait')]).toEqual([200, before, times]);
    expect(text).toContain(`<form method="post" action="${CLICK}"`);
    const [, site = ''] = /name="site" value="([^"]*)"/.exec(text) ?? [];
    const headers = { origin: 'http://localhost:8080', 'sec-fetch-site': 'same-origin' };
    const entered = await visitor.send('POST', CLICK, { headers, form: { site } });
    visits.add(entered.headers.get('location'));
  }
  expect([visits.size, http.demos.instances.size]).toEqual([1, 1]);
  expect(http.demos.calls.find(({ method }) => method === 'acquireOrWait')?.argument).toMatchObject({
    site: 'docs.example.org',
  });
  const [visit] = visits;
  expect((await visitor.send('GET', visit ?? '')).status).toBe(200);
});
