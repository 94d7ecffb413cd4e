import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startHttp, type RunningServer } from '../../test/support/http-server.ts';

let http: RunningServer;
beforeAll(async () => {
  http = await startHttp();
});
afterAll(() => http[Symbol.asyncDispose]());

const COOKIES = Array.from({ length: 8 }, (_, at) => `bomb${at}=${'x'.repeat(4_000)}`).join('; ');

describe('a request with too many cookies', () => {
  it.each([
    ['en', 'Your browser sends too much at once'],
    ['de', 'Der Browser schickt zu viel auf einmal'],
  ])('is answered with a page and has the longest of them deleted (%s)', async (language, heading) => {
    const answer = await fetch(http.url, {
      headers: { accept: 'text/html', 'accept-language': language, cookie: COOKIES },
    });
    expect(answer.status).toBe(431);
    expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    // It would delete the cookies of the whole domain, and any page of another site can provoke this answer.
    expect(answer.headers.get('clear-site-data')).toBeNull();
    expect(answer.headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
    expect(answer.headers.getSetCookie()).toContain('bomb7=; Max-Age=0; Path=/; HttpOnly');
    expect(await answer.text()).toContain(heading);
  });

  it('is answered so where they come in several parts', async () => {
    const socket = connect(http.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(`GET /assets/x.css HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: a=${'x'.repeat(15_000)}`);
    // Its first part is read before the second one is sent: the server has taken another connection since.
    await fetch(http.url);
    socket.write(`${'x'.repeat(4_000)}\r\n\r\n`);
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    const answer = Buffer.concat(chunks).toString();
    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
    expect(answer).toContain('a=; Max-Age=0; Path=/assets; HttpOnly');
  });

  it.each([
    ['an address', `/${'a'.repeat(16_000)}`, {}, 414],
    ['a header', '/', { 'x-long': 'a'.repeat(16_000) }, 431],
  ])('keeps them where %s is what is too long', async (_what, path, headers, status) => {
    const answer = await fetch(http.url + path, { headers: { ...headers, cookie: `login=${'x'.repeat(4_000)}` } });
    expect(answer.status).toBe(status);
    expect(answer.headers.getSetCookie()).toEqual([]);
  });
});
