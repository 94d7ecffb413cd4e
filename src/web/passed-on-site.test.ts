import { expect, it } from 'vitest';
import { startHttp } from '../../test/support/http-server.ts';
import { PageVisitor } from '../../test/support/page-visitor.ts';
import type { AcquireRequest } from '../http/demos.ts';

it('the start page passes on which site its visitor came from, to its own forms alone', async () => {
  await using http = await startHttp({ funnelSites: ['docs.example.org'] });
  const visitor = new PageVisitor(http.url);
  const passedOn = async (referer: string) => {
    const text = await (await visitor.send('GET', '/try/hello', { headers: { referer } })).text();
    return /name="site" value="([^"]*)"/.exec(text)?.[1];
  };
  expect(await passedOn('https://docs.example.org/start?user=ada')).toBe('docs.example.org');
  expect(await passedOn('https://elsewhere.example/')).toBe('other');
  expect(await passedOn('http://localhost:8080/')).toBeUndefined();

  const counted = async (told: string) => {
    const headers = { origin: 'http://localhost:8080', 'sec-fetch-site': 'same-origin' };
    await visitor.send('POST', '/try/hello', { headers, form: { site: told } });
    return (
      http.demos.calls.findLast(({ method }) => method === 'acquireOrWait')?.argument as AcquireRequest | undefined
    )?.site;
  };
  expect(await counted('docs.example.org')).toBe('docs.example.org');
  expect(await counted('evil.example')).toBe('direct');
});
