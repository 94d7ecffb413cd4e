import { expect, it } from 'vitest';
import { FakeDemos } from '../../test/support/fake-demos.ts';
import { startHttp } from '../../test/support/http-server.ts';
import { PageVisitor } from '../../test/support/page-visitor.ts';
import { template } from '../../test/support/templates.ts';
import { connectUrl as connectUrlOf } from '../domain/address.ts';

it('names what a click will need, and lets itself connect there', async () => {
  const page = async (connectUrl?: string, frame: 'auto' | 'off' = 'auto') => {
    await using http = await startHttp({ demos: new FakeDemos([template({ frame })]), page: { connectUrl } });
    const answer = await new PageVisitor(http.url).send('GET', '/');
    const [, ahead, connect] = /data-ahead="([^"]*)"(?: data-connect="([^"]*)")?/.exec(await answer.text()) ?? [];
    const files = ahead?.split(' ').map((url) => url.replace(/[0-9a-f]{12}\./, ''));
    return {
      files,
      connect,
      frames: /frame-src ([^;]*)/.exec(answer.headers.get('content-security-policy') ?? '')?.[1],
    };
  };
  const connectUrl = connectUrlOf({ scheme: 'https', baseDomain: 'demo.example.org', port: undefined });
  expect(await page(connectUrl)).toEqual({
    files: ['/assets/visit.css', '/assets/visit.js'],
    connect: 'https://connect.demo.example.org/',
    frames: 'https://connect.demo.example.org',
  });
  expect(await page(undefined, 'off')).toEqual({ files: [''], connect: undefined, frames: undefined });
  expect(connectUrlOf({ scheme: 'http', baseDomain: 'localhost', port: 8000 })).toBeUndefined();
});
