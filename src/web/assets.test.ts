import { expect, it } from 'vitest';
import { startHttp } from '../../test/support/http-server.ts';

it("serves its own for the assets of another version's page, which nobody keeps", async () => {
  await using http = await startHttp();
  const get = (path: string) => fetch(`${http.url}${path}`, { headers: { accept: 'text/html' } });
  const ofAnother = await get('/assets/page.0123456789ab.css');
  expect([ofAnother.status, ofAnother.headers.get('cache-control')]).toEqual([200, 'no-store']);
  const [own = ''] = /\/assets\/page\.[0-9a-f]{12}\.css/.exec(await (await get('/')).text()) ?? [];
  expect(await ofAnother.text()).toBe(await (await get(own)).text());
  for (const file of ['page.0123456789ab.exe', 'constructor', 'page.css.0123456789ab'])
    expect((await get(`/assets/${file}`)).status).toBe(404);
});
