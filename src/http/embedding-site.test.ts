import type { FastifyRequest } from 'fastify';
import { describe, expect, it } from 'vitest';
import { embeddingSites } from './embedding-site.ts';

const siteOf = embeddingSites('https://try.example.org', ['docs.example.org', 'localhost:3000']);
const from = (headers: Record<string, string>): string =>
  siteOf({ headers, host: '127.0.0.1:8080' } as unknown as FastifyRequest);

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
    ['a page that hides its site', { origin: 'null' }, 'other'],
    ['something that is no address', { referer: 'ada lovelace' }, 'other'],
  ] as const)('from %s', (_, headers, site) => {
    expect(from(headers)).toBe(site);
  });
});
