import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startHttp, type RunningServer } from '../../test/support/http-server.ts';
import { sendRaw } from '../../test/support/raw-http.ts';
import { PILED_COOKIES, PILED_COOKIES_SOURCE } from '../presentation/piled-cookies.ts';

let http: RunningServer;
beforeAll(async () => {
  http = await startHttp();
});
afterAll(() => http[Symbol.asyncDispose]());

describe('a request with too many cookies', () => {
  it.each([
    ['en', 'Your browser sends too much at once'],
    ['de', 'Der Browser schickt zu viel auf einmal'],
  ])('is answered with a page whose script deletes the largest of them (%s)', async (language, heading) => {
    const cookies = Array.from({ length: 8 }, (_, at) => `bomb${at}=${'x'.repeat(4_000)}`).join('; ');
    const answer = await sendRaw(
      http.port,
      `GET / HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\nAccept-Language: ${language}\r\nCookie: ${cookies}\r\n\r\n`,
    );
    expect(answer).toMatchObject({
      status: 431,
      headers: {
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-store',
      },
    });
    // It would delete the cookies of the whole domain, and any page of another site can provoke this answer.
    expect(answer.headers).not.toHaveProperty('clear-site-data');
    expect(answer.headers['content-security-policy']).toContain("frame-ancestors 'none'");
    expect(answer.headers['content-security-policy']).toContain(PILED_COOKIES_SOURCE);
    expect(answer.body).toContain(PILED_COOKIES.text);
    expect(answer.body).toContain(heading);
    expect(Buffer.byteLength(answer.body)).toBe(Number(answer.headers['content-length']));
  });

  it('gets that page also where only the last of them were read', async () => {
    const socket = connect(http.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(`GET / HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\nCookie: a=${'x'.repeat(15_000)}`);
    // Its first part is read before the second one is sent: the server has taken another connection since.
    await fetch(http.url);
    socket.write('x'.repeat(4_000));
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    const answer = Buffer.concat(chunks).toString();
    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
    expect(answer).toContain('Your browser sends too much at once');
  });
});
