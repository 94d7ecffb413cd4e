import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HttpProbe } from '../runtime/readiness/http-probe.ts';
import { silent } from '../../test/support/store.ts';
import { template } from '../../test/support/templates.ts';
import { FrameFit } from './frame-fit.ts';
import { Proxies } from './proxies.ts';

const never = new AbortController().signal;
const BUSTER = 'if (self === top) { show() } else { top.location = self.location }';
const visitor = { scheme: 'http', host: 'label.localhost:8000' } as const;

type Reply = Parameters<RequestListener>[1];
/** By path, of an app behind the proxy. */
const PAGES: Readonly<Record<string, (reply: Reply, request: IncomingMessage) => void>> = {
  '/': (reply) =>
    html(reply, '<h1>fine</h1><script src="/big.js"></script><script src="https://cdn.example/x.js"></script>'),
  '/big.js': (reply) => reply.end(`${BUSTER}\n${'/* a library */'.repeat(1_000)}`),
  '/away': (reply) => reply.writeHead(302, { location: '/away/2', 'set-cookie': 'seen=1' }).end(),
  '/away/2': (reply, { headers }) =>
    reply
      .writeHead(302, { location: `https://${headers.cookie === 'seen=1' ? 'login' : 'no'}.example/auth?to=x` })
      .end(),
  '/scheme': (reply) => reply.writeHead(302, { location: `https://${visitor.host}/` }).end(),
  '/own': (reply) => reply.writeHead(302, { location: `http://${visitor.host}/` }).end(),
  '/refresh': (reply) => html(reply, '<meta http-equiv="refresh" content="0; url=/refresh/2">'),
  '/refresh/2': (reply) => reply.writeHead(200, { refresh: '0; url=https://elsewhere.example/' }).end(),
  '/inline': (reply) => html(reply, `<script>${BUSTER}</script>`),
  '/guard': (reply) =>
    html(reply, '<base href="/js/"><script src="big.js"></script><script src="guard.js?v=5"></script>'),
  '/js/guard.js?v=5': (reply) => reply.setHeader('content-type', 'text/javascript').end(BUSTER),
  '/metadata': (reply, { headers }) =>
    headers['sec-fetch-dest'] === 'iframe' ? reply.writeHead(403).end() : html(reply, 'fine'),
  '/pdf': (reply) => reply.setHeader('content-type', 'application/pdf').end('%PDF-1.7'),
  '/down': (reply) => reply.writeHead(503).end(),
  '/plain': (reply) => reply.setHeader('content-type', 'text/plain').end(`<script>${BUSTER}</script>`),
};

function html(reply: Reply, text: string): void {
  reply.setHeader('content-type', 'text/html; charset=utf-8').end(`<!doctype html>${text}`);
}

describe('whether a frame shows a landing page', () => {
  let server: Server;
  let fit: FrameFit;
  let asked: string[];
  beforeEach(async () => {
    asked = [];
    server = createServer((request, reply) => {
      asked.push(request.url ?? '');
      const page = request.headers.host === visitor.host ? PAGES[request.url ?? ''] : undefined;
      if (page === undefined) reply.writeHead(404).end();
      else page(reply, request);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const proxyUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const probe = new HttpProbe();
    fit = new FrameFit({ probe, proxies: new Proxies(probe, [proxyUrl]), log: silent });
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it.each([
    ['/', undefined],
    ['/own', undefined],
    ['/plain', undefined],
    ['/away', { why: 'leads_elsewhere', what: 'https://login.example' }],
    // The proxy leads it back to how the visitor came.
    ['/scheme', undefined],
    ['/refresh', { why: 'leads_elsewhere', what: 'https://elsewhere.example' }],
    ['/inline', { why: 'leaves_frames', what: 'in /inline' }],
    ['/guard', { why: 'leaves_frames', what: '/js/guard.js' }],
    ['/metadata', { why: 'refuses_requests', what: 'status 403 at /metadata' }],
    ['/pdf', { why: 'needs_plugins', what: 'a PDF' }],
  ])('%s', async (open, refusal) => {
    expect(await fit.refusal(template({ open, frame: 'auto' }), 'v1', visitor, never)).toEqual(refusal);
  });

  it('is found out once for each version and landing page, and not where no frame is wanted', async () => {
    const look = (open: string, version = 'v1', frame: 'auto' | 'off' = 'auto') =>
      fit.refusal(template({ open, frame }), version, visitor, never);
    expect([await look('/inline'), await look('/inline')]).toEqual(
      Array(2).fill({ why: 'leaves_frames', what: 'in /inline' }),
    );
    expect(asked).toEqual(['/inline']);
    await look('/inline', 'v2');
    await look('/pdf', 'v2');
    expect(asked).toEqual(['/inline', '/inline', '/pdf']);
    expect(await look('/inline', 'v3', 'off')).toBeUndefined();
    expect(asked).toHaveLength(3);
  });

  it('is asked again where there was nothing to see', async () => {
    const look = () => fit.refusal(template({ open: '/down', frame: 'auto' }), 'v1', visitor, never);
    expect([await look(), await look()]).toEqual([undefined, undefined]);
    expect(asked).toEqual(Array(4).fill('/down'));
  });
});
