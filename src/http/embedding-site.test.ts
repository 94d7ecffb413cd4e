import type { FastifyRequest } from 'fastify';
import { describe, expect, it } from 'vitest';
import { embeddingSites } from './embedding-site.ts';

const siteOf = embeddingSites('https://try.example.org', ['docs.example.org', 'localhost:3000'], () => [
  { allowedOrigins: ['https://shop.example.net:8443', 'http://[::1]:3000'] },
]);
const from = (headers: Record<string, string>, told?: string): string =>
  siteOf({ headers, host: '127.0.0.1:8080' } as unknown as FastifyRequest, told);

describe('The embedding site of a click', () => {
  it.each([
    ['no page', {}, 'direct'],
    ['our own page', { origin: 'https://try.example.org' }, 'direct'],
    ['our own page by its other address', { origin: 'http://127.0.0.1:8080' }, 'direct'],
    ['a listed site', { origin: 'https://docs.example.org' }, 'docs.example.org'],
    ['a listed site by its port', { origin: 'http://localhost:3000' }, 'localhost:3000'],
    ['a page of a listed site', { referer: 'https://docs.example.org/start?user=ada#top' }, 'docs.example.org'],
    ['a site that is not listed', { origin: 'https://elsewhere.example' }, 'other'],
    ['a site below a listed one', { origin: 'https://evil.docs.example.org' }, 'other'],
    ['a site that may offer a template', { origin: 'https://shop.example.net:8443' }, 'shop.example.net:8443'],
    ['a site that has no name', { origin: 'http://[::1]:3000' }, 'other'],
    ['a page that hides its site', { origin: 'null' }, 'other'],
    ['something that is no address', { referer: 'ada lovelace' }, 'other'],
  ] as const)('from %s', (_, headers, site) => {
    expect(from(headers)).toBe(site);
  });

  it.each([
    ['a listed site', 'docs.example.org', 'docs.example.org'],
    ['one that is not listed', 'other', 'other'],
    ['one that we would not have named', 'evil.example', 'direct'],
    ['nothing', undefined, 'direct'],
  ])('passed on by a page of ours, from %s', (_, told, site) => {
    expect(from({ origin: 'https://try.example.org' }, told)).toBe(site);
    expect(from({ origin: 'https://elsewhere.example' }, told)).toBe('other');
    expect(from({}, told)).toBe('direct');
  });
});

it('goes by the templates as they are now, and reads their origins once for all clicks', () => {
  let read = 0;
  const offering = (...origins: readonly string[]) => ({
    get allowedOrigins() {
      read += 1;
      return origins;
    },
  });
  let templates = [offering('https://shop.example.net')];
  const site = embeddingSites('https://try.example.org', [], () => templates);
  const click = () => site({ headers: { origin: 'https://shop.example.net' }, host: '' } as unknown as FastifyRequest);
  expect([click(), click(), click(), read]).toEqual(['shop.example.net', 'shop.example.net', 'shop.example.net', 1]);
  templates = [offering('https://news.example.net'), offering()];
  expect([click(), click(), read]).toEqual(['other', 'other', 3]);
});
