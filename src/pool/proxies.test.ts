import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { HttpProbe } from '../runtime/readiness/http-probe.ts';
import { Proxies } from './proxies.ts';

const visitor = { scheme: 'http', host: 'label.demo.example' } as const;
const never = new AbortController().signal;
const OTHERS_AFTER_MS = 20;
const PATIENCE = { visitor, timeoutMs: 60_000 };

describe('several proxies', () => {
  const servers: Server[] = [];
  const asked: string[] = [];

  /** Says who was asked, and answers so; undefined: not at all. */
  async function proxy(name: string, status: number | undefined): Promise<string> {
    const answer: RequestListener = (request, response) => {
      asked.push(`${name}${request.url ?? ''}`);
      if (status !== undefined) response.writeHead(status).end(name);
    };
    const server = createServer(answer).listen(0, '127.0.0.1');
    servers.push(server);
    await once(server, 'listening');
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }
  async function nobody(): Promise<string> {
    const url = await proxy('nobody', 200);
    await close(servers.pop());
    return url;
  }
  async function close(server: Server | undefined): Promise<void> {
    server?.closeAllConnections();
    await new Promise((resolve) => server?.close(resolve));
  }
  afterEach(async () => {
    asked.length = 0;
    await Promise.all(servers.splice(0).map(close));
  });

  it('asks the first alone while that one answers', async () => {
    const first = await proxy('first', 200);
    const proxies = new Proxies(new HttpProbe(), [first, await proxy('second', 200)], 60_000);
    await proxies.untilOk('/page', PATIENCE, never);
    await proxies.untilOk('/', PATIENCE, never);
    expect(asked).toEqual(['first/page', 'first/']);
    expect(proxies.preferred).toBe(first);
  });

  it.each([
    ['refuses connections', () => nobody()],
    ['does not answer', () => proxy('first', undefined)],
    ['does not know the name', () => proxy('first', 404)],
    ['has no discovery', () => proxy('first', 503)],
  ])('goes on to the next one when the first %s, and stays with it', async (_, first) => {
    const second = await proxy('second', 200);
    const proxies = new Proxies(new HttpProbe(), [await first(), second], OTHERS_AFTER_MS);
    await proxies.untilOk('/page', PATIENCE, never);
    expect(proxies.preferred).toBe(second);
    expect(asked.filter((each) => each.startsWith('second'))).toEqual(['second/page']);
  });

  it('tells of the first when none answers as wanted', async () => {
    const urls = [await proxy('first', 503), await nobody()] as const;
    const proxies = new Proxies(new HttpProbe(), urls, OTHERS_AFTER_MS);
    await expect(proxies.untilOk('/', { visitor, timeoutMs: 100 }, never)).rejects.toMatchObject({
      code: 'not_ready_in_time',
      message: expect.stringContaining(`${urls[0]}/ `) as string,
    });
    expect(proxies.inWords).toBe(`${urls[0]} or ${urls[1]}`);
  });

  it('stops asking when nobody waits any more', async () => {
    const proxies = new Proxies(new HttpProbe(), [await proxy('first', undefined), await nobody()], OTHERS_AFTER_MS);
    const enough = new AbortController();
    const asking = proxies.untilOk('/', PATIENCE, enough.signal);
    enough.abort(new Error('enough'));
    await expect(asking).rejects.toThrow('enough');
  });

  it('downloads by the first that takes the request', async () => {
    const second = await proxy('second', 200);
    const proxies = new Proxies(new HttpProbe(), [await nobody(), second], OTHERS_AFTER_MS);
    const { status, body } = await proxies.download('/work', visitor, never);
    expect([status, await text(body)]).toEqual([200, 'second']);
    expect(proxies.preferred).toBe(second);
    const unreachable = new Proxies(new HttpProbe(), [await nobody(), await nobody()], OTHERS_AFTER_MS);
    await expect(unreachable.download('/work', visitor, never)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});
