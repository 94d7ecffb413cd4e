import { createServer, type RequestListener } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TryItNowError } from '../../domain/errors.ts';
import { freePort } from '../../launcher/tcp-ports.ts';
import { temporaryFolder } from '../../lifecycle/temporary-folder.ts';
import { HttpProbe } from './http-probe.ts';
import { Authority } from '../../../test/support/certificates.ts';
import { leftAt } from '../../../test/support/left-at.ts';
import { eventually } from '../../../test/support/eventually.ts';

const never = new AbortController().signal;
const open: { readonly server: Server; readonly sockets: Set<Socket> }[] = [];

afterAll(async () => {
  for (const { server, sockets } of open.splice(0)) {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function listen(server: Server, port = 0): Promise<{ url: string; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  open.push({ server, sockets });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/ready?deep=1`, sockets };
}

const web = async (answer: RequestListener, port?: number): Promise<{ url: string; sockets: Set<Socket> }> =>
  listen(createServer(answer), port);

const visitor = { scheme: 'https', host: 'label.localhost:8443' } as const;

it('takes any answer below 400, asks as a visitor comes, and leaves no connection open', async () => {
  const asked: unknown[] = [];
  const { url, sockets } = await web((request, response) => {
    const { host, 'x-forwarded-host': forwarded, 'x-forwarded-proto': scheme } = request.headers;
    asked.push([request.method, request.url, host, forwarded, scheme]);
    response.writeHead(302, { location: 'https://elsewhere.example/' }).end('go on');
  });
  await new HttpProbe().untilOk({ url, visitor, timeoutMs: 60_000 }, never);
  expect(asked).toEqual([['GET', '/ready?deep=1', visitor.host, visitor.host, 'https']]);
  await eventually(() => expect(sockets.size).toBe(0));
});

it('leaves nothing at the signal of whoever asks, whatever comes of it', async () => {
  const { url } = await web(({ url: path }, response) => {
    if (path === '/moved') response.writeHead(302, { location: '/' }).end();
    else if (path !== '/silent') response.writeHead(path === '/bad' ? 400 : 200).end('so it is');
  });
  const refused = `http://127.0.0.1:${await freePort()}/`;
  const life = new AbortController().signal;
  const probe = new HttpProbe();
  for (const path of ['/', '/moved', '/bad', '/silent', refused]) {
    const target = { url: new URL(path, url).href, timeoutMs: 50 };
    await Promise.allSettled([probe.look(target, life), probe.ask(target, life), probe.untilOk(target, life)]);
  }
  expect(leftAt(life)).toBe(0);
});

it.each<[string, string, boolean, string]>([
  ['a redirect within the app', '/to/fine', true, '/fine'],
  ['one to its public name', '/to/public', true, '/fine'],
  ['one to its inner address', '/to/inner', true, '/fine'],
  ['one that ends in an error', '/to/broken', false, '/broken'],
  ['one that is only left with the cookie it sets', '/to/cookie', true, '/fine'],
  ['one to another scheme of its own', '/to/plain', true, '/fine'],
  ['one to another port of its own', '/to/port', true, '/fine'],
  ['one to its name with a dot', '/to/dot', true, '/fine'],
  ['one to the port it has inside', '/to/inside', true, '/fine'],
  ['not one to another name', '/to/other', true, '/to/other'],
  ['not one to another port of its host', '/to/outside', true, '/to/outside'],
])('follows %s', async (_, path, ok, ended) => {
  const { url } = await web((request, response) => {
    const places: Record<string, string> = {
      '/to/fine': '/fine',
      '/to/public': `https://${visitor.host}/fine`,
      '/to/inner': `http://127.0.0.1:${request.socket.localPort}/fine`,
      '/to/broken': '/broken',
      '/to/cookie': request.headers.cookie === 'seen=1; b=2' ? '/fine' : '/to/cookie',
      '/to/plain': `http://${visitor.host}/fine`,
      '/to/port': 'https://label.localhost:3000/fine',
      '/to/dot': 'http://label.localhost./fine',
      '/to/inside': 'http://localhost:3000/fine',
      '/to/other': 'https://label.localhost.example.org:8443/fine',
      '/to/outside': 'http://localhost:30000/fine',
    };
    const location = places[request.url ?? ''];
    if (location === undefined) response.writeHead(request.url === '/fine' ? 200 : 500).end();
    else response.writeHead(302, { location, 'set-cookie': ['seen=1; Path=/; HttpOnly', 'b=2'] }).end();
  });
  const target = { url: new URL(path, url).href, visitor, innerPort: 3000, timeoutMs: 60_000 };
  const look = await new HttpProbe().look(target, never);
  const from = ended === path ? {} : { from: path };
  expect(look).toMatchObject({ ok, seen: { kind: 'answered', path: ended, host: visitor.host, ...from } });
});

it('does not follow redirects without end', async () => {
  const { url } = await web((_, response) => {
    response.writeHead(302, { location: '/again' }).end();
  });
  const probe = new HttpProbe();
  const { ok, seen } = await probe.look({ url, visitor, timeoutMs: 60_000 }, never);
  expect([ok, seen]).toEqual([false, { kind: 'circles', path: '/again', toHttps: false }]);
  expect(probe.describe(seen)).toBe('redirects without end, the last one at /again');
});

it.each<[string, 'http' | 'https', (host: string) => string, object]>([
  ['by its public name', 'http', (host) => `https://${host}/`, { kind: 'circles', path: '/', toHttps: true }],
  ['without its port', 'http', () => 'https://label.localhost/', { kind: 'circles', path: '/', toHttps: true }],
  ['by its name inside', 'http', () => 'https://localhost:3000/', { kind: 'circles', path: '/', toHttps: true }],
  ['which they have', 'https', (host) => `https://${host}/`, { kind: 'answered', status: 200 }],
])('sees an app send its visitors to https again and again, %s', async (_, scheme, location, seen) => {
  // As Rails with force_ssl.
  const { url } = await web(({ headers }, response) => {
    if (headers['x-forwarded-proto'] === 'https') response.writeHead(200).end();
    else response.writeHead(301, { location: location(headers.host ?? '') }).end();
  });
  const target = { url: new URL('/', url).href, visitor: { ...visitor, scheme }, innerPort: 3000, timeoutMs: 60_000 };
  const look = await new HttpProbe().look(target, never);
  expect(look).toMatchObject({ ok: scheme === 'https', seen });
});

it.each([
  ['Go', 'Client sent an HTTP request to an HTTPS server.\n'],
  ['nginx', '<center>The plain HTTP request was sent to HTTPS port</center>'],
  ['Apache', "Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />"],
  ['Tomcat', 'Bad Request\nThis combination of host and port requires TLS.\n'],
])('understands that a port speaks TLS from what %s answers', async (_, text) => {
  const { url } = await web((_request, response) => {
    response.writeHead(400).end(text);
  });
  const probe = new HttpProbe();
  expect(await probe.look({ url, timeoutMs: 60_000 }, never)).toEqual({ ok: false, seen: { kind: 'tls' } });
  const statuses = [{ from: 400, to: 400 }];
  expect(await probe.look({ url, statuses, timeoutMs: 60_000 }, never)).toMatchObject({
    ok: true,
    seen: { status: 400 },
  });
});

it('takes a 400 that says something else, or nothing to its end, for what it is', async () => {
  const { url } = await web((request, response) => {
    response.writeHead(400).write('This page requires TLS');
    if (request.url === '/ends') response.end();
  });
  const probe = new HttpProbe();
  for (const path of ['/ends', '/goes-on']) {
    const target = { url: new URL(path, url).href, timeoutMs: 300 };
    expect((await probe.look(target, never)).seen).toMatchObject({ kind: 'answered', status: 400 });
  }
});

describe('a port that hangs up', () => {
  const last = async (server: Server): Promise<unknown> => {
    const { url } = await listen(server);
    const target = { url, visitor, timeoutMs: 300 };
    const thrown = await new HttpProbe().untilOk(target, never).catch((error: unknown) => error);
    return (thrown as TryItNowError).details?.['seen'];
  };
  let pair: Pick<TlsOptions, 'cert' | 'key'>;
  let folder: string;

  beforeAll(async () => {
    folder = await temporaryFolder('try-it-now-tls-');
    const { cert, key } = await (await Authority.create(folder)).certify('DNS:app.test');
    pair = { cert, key };
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.each<[string, TlsOptions]>([
    ['takes any', {}],
    ['wants a certificate of the other side', { requestCert: true }],
    ['knows nothing as old as this', { ciphers: 'NULL-SHA256@SECLEVEL=0', maxVersion: 'TLSv1.2' }],
  ])('is seen to speak TLS where it %s', async (_, options) => {
    expect(await last(createTlsServer({ ...pair, ...options }))).toEqual({ kind: 'tls' });
  });

  it.each<[string, (socket: Socket) => void]>([
    ['closes', (socket) => socket.end()],
    ['answers with what is neither', (socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n')],
    ['is silent at the second time', (socket) => void socket.once('data', (data) => data[0] === 0x47 && socket.end())],
    [
      'sends a handshake without end',
      (socket) => {
        const flood = (): void => {
          while (!socket.destroyed && socket.write(Buffer.from([0x16, 3, 3, 0, 1, 0])));
        };
        socket.once('data', (data) => {
          if (data[0] === 0x47) socket.end();
          else {
            socket.on('drain', flood);
            flood();
          }
        });
      },
    ],
  ])('is not where it %s', async (_, serve) => {
    expect(await last(createTcpServer(serve))).toMatchObject({ kind: 'broken' });
  });
});

it('takes a redirect to https for one to another site where the app was sent a name of the template', async () => {
  const { url } = await web((_, response) => {
    response.writeHead(301, { location: 'https://app.test/' }).end();
  });
  const target = { url, visitor: { ...visitor, scheme: 'http' as const }, host: 'app.test', timeoutMs: 60_000 };
  expect(await new HttpProbe().look(target, never)).toMatchObject({ ok: true, seen: { status: 301 } });
});

it('takes the statuses it is given, of the first answer or at the end', async () => {
  const { url } = await web((request, response) => {
    if (request.url === '/moved') response.writeHead(302, { location: '/closed' }).end();
    else response.writeHead(401).end();
  });
  const probe = new HttpProbe();
  const look = async (path: string, wanted: object): Promise<boolean> =>
    (await probe.look({ url: new URL(path, url).href, timeoutMs: 60_000, ...wanted }, never)).ok;
  const closed = [{ from: 401, to: 401 }];
  expect(await look('/closed', {})).toBe(false);
  expect(await look('/closed', { statuses: closed })).toBe(true);
  expect(await look('/moved', { statuses: closed })).toBe(false);
  expect(await look('/moved', { orStatuses: closed })).toBe(true);
});

it('goes on asking until the app is there and well', async () => {
  const port = await freePort();
  const states = [503, 500, 404, 200];
  const seen: number[] = [];
  const probing = new HttpProbe().untilOk({ url: `http://127.0.0.1:${port}/`, timeoutMs: 60_000 }, never);
  await web((_, response) => {
    const status = states[seen.length] ?? 200;
    seen.push(status);
    response.writeHead(status).end();
  }, port);
  await probing;
  expect(seen).toEqual(states);
});

it.concurrent.each<[string, string, () => Promise<{ url: string }>]>([
  ['nobody listens', 'connection refused', async () => ({ url: `http://127.0.0.1:${await freePort()}/` })],
  [
    'the app answers with an error',
    'status 502',
    () =>
      web((_, response) => {
        response.writeHead(502).end();
      }),
  ],
  ['the app hangs up', 'connection closed before an answer', () => listen(createTcpServer((socket) => socket.end()))],
  ['the app never answers', 'no answer within', () => listen(createTcpServer(() => undefined))],
])('names what it saw last when %s', async (_, words, start) => {
  const { url } = await start();
  const failure = await new HttpProbe()
    .untilOk({ url, host: 'a.localhost', timeoutMs: 2_000 }, never)
    .catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'not_ready_in_time', message: expect.stringContaining(words) as string });
  expect(failure).toMatchObject({ message: expect.stringContaining(`${url} (Host a.localhost)`) as string });
});

it('is content with the status of an answer that never ends', async () => {
  const { url, sockets } = await web((_, response) => {
    response.writeHead(200);
    const flood = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(64 * 1024)));
    };
    response.on('drain', flood).on('error', () => undefined);
    flood();
  });
  await new HttpProbe().untilOk({ url, timeoutMs: 60_000 }, never);
  await eventually(() => expect(sockets.size).toBe(0));
});

it("stops at the signal with the signal's reason", async () => {
  const { url } = await web((_, response) => {
    response.writeHead(503).end();
  });
  const abort = new AbortController();
  const probing = new HttpProbe().untilOk({ url, timeoutMs: 60_000 }, abort.signal);
  abort.abort(new Error('taken away'));
  await expect(probing).rejects.toThrow('taken away');
});

it('stops at the signal while an answer is awaited', async () => {
  let connect = (): void => undefined;
  const connected = new Promise<void>((resolve) => {
    connect = resolve;
  });
  const { url } = await listen(createTcpServer(() => connect()));
  const abort = new AbortController();
  const probing = new HttpProbe().untilOk({ url, timeoutMs: 60_000 }, abort.signal);
  await connected;
  abort.abort(new Error('taken away'));
  await expect(probing).rejects.toThrow('taken away');
});

it('asks once: GET without a body, POST with JSON, whatever the status, and leaves no connection open', async () => {
  const asked: unknown[] = [];
  const { url, sockets } = await web((request, response) => {
    let body = '';
    request
      .setEncoding('utf8')
      .on('data', (chunk: string) => {
        body += chunk;
      })
      .on('end', () => {
        asked.push([request.method, request.url, request.headers['content-type'], body]);
        response.writeHead(409, { connection: 'keep-alive' }).end(`answer ${asked.length}`);
      });
  });
  const probe = new HttpProbe();
  expect(await probe.ask({ url, timeoutMs: 60_000 }, never)).toEqual({
    status: 409,
    location: '',
    body: 'answer 1',
  });
  expect(await probe.ask({ url, body: { seed: 'ä', nested: { a: 1 } }, timeoutMs: 60_000 }, never)).toEqual({
    status: 409,
    location: '',
    body: 'answer 2',
  });
  expect(asked).toEqual([
    ['GET', '/ready?deep=1', undefined, ''],
    ['POST', '/ready?deep=1', 'application/json', '{"seed":"ä","nested":{"a":1}}'],
  ]);
  await eventually(() => expect(sockets.size).toBe(0));
});

it('cuts an answer that never ends', async () => {
  const { url, sockets } = await web((_, response) => {
    const flood = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(64 * 1024, 'x')));
    };
    response.on('drain', flood).on('error', () => undefined);
    flood();
  });
  const { status, body } = await new HttpProbe().ask({ url, timeoutMs: 60_000 }, never);
  expect([status, body.length]).toEqual([200, 64 * 1024]);
  await eventually(() => expect(sockets.size).toBe(0));
});

it.each<[string, string, number, () => Promise<{ url: string }>]>([
  ['nobody listens', 'connection refused', 60_000, async () => ({ url: `http://127.0.0.1:${await freePort()}/` })],
  [
    'the app hangs up',
    'connection closed before an answer',
    60_000,
    () => listen(createTcpServer((socket) => socket.end())),
  ],
  ['the app never answers', 'no answer within 200 ms', 200, () => listen(createTcpServer(() => undefined))],
  [
    'the app never ends its answer',
    'no answer within 200 ms',
    200,
    () =>
      web((_, response) => {
        response.writeHead(200).write('begun');
      }),
  ],
])('says why it got no answer when %s', async (_, words, timeoutMs, start) => {
  const { url } = await start();
  await expect(new HttpProbe().ask({ url, timeoutMs }, never)).rejects.toThrow(`${url}: ${words}`);
});

it('stops asking at the signal', async () => {
  let connect = (): void => undefined;
  const connected = new Promise<void>((resolve) => {
    connect = resolve;
  });
  const { url } = await listen(createTcpServer(() => connect()));
  const abort = new AbortController();
  const asking = new HttpProbe().ask({ url, body: {}, timeoutMs: 60_000 }, abort.signal);
  await connected;
  abort.abort(new Error('taken away'));
  await expect(asking).rejects.toThrow('taken away');
});
