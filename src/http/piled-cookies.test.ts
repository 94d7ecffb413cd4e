import { describe, expect, it } from 'vitest';
import { expirePiledCookies } from './piled-cookies.ts';

const long = (name: string): string => `${name}=${'x'.repeat(4_000)}`;
const PILE = ['a', 'b', 'c', 'd'].map(long).join('; ');
const https = (cookie: string, host = 'try.example.org') => ({ cookie, host, 'x-forwarded-proto': 'https' });
const first = (): number => 0;

describe('the cookies that have piled up', () => {
  it('are deleted for each domain, path and kind that they may be of', () => {
    const lines = expirePiledCookies('/visit/x;y?embed=modal', https(PILE), first).filter((line) => /^a=/.test(line));
    const kinds = ['; HttpOnly; Secure; SameSite=None', '; HttpOnly; Secure; SameSite=None; Partitioned'];
    const domains = ['; Domain=example.org', '; Domain=try.example.org', ''];
    expect(lines).toEqual(
      domains.flatMap((domain) =>
        ['/', '/visit', '/visit/'].flatMap((path) =>
          kinds.map((kind) => `a=; Max-Age=0; Path=${path}${domain}${kind}`),
        ),
      ),
    );
  });

  it.each(['localhost:8080', '127.0.0.1', '[::1]:8080', ''])('are those of %s itself, without https', (host) => {
    const lines = expirePiledCookies('/', { cookie: PILE, host }, first);
    expect(lines).toContain('a=; Max-Age=0; Path=/; HttpOnly');
    expect(lines.filter((line) => /Domain=(?!localhost)|Secure/.test(line))).toEqual([]);
  });

  it('leaves those of this host alone, short ones, and names that no header may have', () => {
    const cookie = [PILE, 'login=mine', `__Host-${long('own')}`, long('\u0001'), long('\u00FC')].join('; ');
    const names = expirePiledCookies('/', https(cookie), first).map((line) => line.split('=')[0]);
    expect(new Set(names)).toEqual(new Set(['', 'a', 'b', 'c', 'd', '\u00FC']));
  });

  it('are none where others than cookies are what is large', () => {
    expect(expirePiledCookies(`/${'a'.repeat(16_000)}`, https(long('login')))).toEqual([]);
  });

  it('are all deleted within some answers, each of which a browser can read', () => {
    const name = (at: number): string => String(at).padEnd(4_000, 'n');
    const cookie = Array.from({ length: 180 }, (_, at) => `${name(at)}=`).join('; ');
    const wanted = `${name(0)}=; Max-Age=0; Path=/a/; Domain=example.org; HttpOnly; Secure; SameSite=None`;
    const answers = Array.from({ length: 20 }, (_, at) => expirePiledCookies('/a/b/c/d', https(cookie), () => at / 20));
    for (const lines of answers) {
      expect(lines.length).toBeGreaterThan(10);
      expect(lines.join('').length).toBeLessThanOrEqual(96 * 1_024);
    }
    expect(answers.some((lines) => lines.includes(wanted))).toBe(true);
  });
});
