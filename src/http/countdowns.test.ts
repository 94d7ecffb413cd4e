import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { FakeDemos } from '../../test/support/fake-demos.ts';
import { startHttp, type RunningServer } from '../../test/support/http-server.ts';
import { pipelined } from '../../test/support/raw-http.ts';
import { readEvents, type SseEvent } from '../../test/support/sse.ts';
import { TryItNowError } from '../domain/errors.ts';
import { Countdowns } from './countdowns.ts';

const TICK_MS = 25;

async function taken(demos: FakeDemos): Promise<string> {
  return (await demos.acquire({ template: undefined, clientKey: 's', owner: 'o', idempotencyKey: undefined })).id;
}

async function watch(http: RunningServer, id: string, signal?: AbortSignal): Promise<AsyncGenerator<SseEvent>> {
  const response = await fetch(`${http.url}/api/v1/demo/${id}/status`, signal === undefined ? {} : { signal });
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  expect(response.headers.get('x-request-id')).not.toBeNull();
  return readEvents(response);
}

async function nextMatching(events: AsyncGenerator<SseEvent>, wanted: (event: SseEvent) => boolean): Promise<SseEvent> {
  for (;;) {
    const next = await events.next();
    if (next.done === true) throw new Error('the stream ended before the event came');
    if (wanted(next.value)) return next.value;
  }
}

describe('the countdown of an instance', () => {
  it('counts down, picks up an extend, tells the end once and closes', async () => {
    await using http = await startHttp({ countdowns: { everyMs: TICK_MS } });
    const id = await taken(http.demos);
    const events = await watch(http, id);
    const expiresAt = new Date(http.demos.nowMs + 60_000).toISOString();
    expect((await events.next()).value).toEqual({
      event: 'countdown',
      data: { state: 'assigned', remaining_seconds: 60, expires_at: expiresAt },
    });

    http.demos.nowMs += 1_500;
    await nextMatching(events, ({ data }) => data['remaining_seconds'] === 59);
    await http.demos.extend(id, 1);
    const extended = await nextMatching(events, ({ data }) => data['remaining_seconds'] === 119);
    expect(extended.data['expires_at']).not.toBe(expiresAt);
    await http.demos.release(id);
    expect(await nextMatching(events, ({ event }) => event !== 'countdown')).toEqual({
      event: 'ended',
      data: { state: 'ended', remaining_seconds: 0, expires_at: null },
    });
    expect((await events.next()).done).toBe(true);
  });

  it('tells the end of an instance that is gone altogether', async () => {
    await using http = await startHttp({ countdowns: { everyMs: TICK_MS } });
    const id = await taken(http.demos);
    const events = await watch(http, id);
    http.demos.instances.delete(id);
    expect(await nextMatching(events, ({ event }) => event === 'ended')).toMatchObject({
      data: { remaining_seconds: 0 },
    });
  });

  it('asks the store once a tick for all listeners, and not for those who left', async () => {
    await using http = await startHttp({ countdowns: { everyMs: TICK_MS } });
    const ids = await Promise.all(Array.from({ length: 5 }, () => taken(http.demos)));
    const leave = new AbortController();
    const streams = await Promise.all([...ids, ...ids].map((id) => watch(http, id, leave.signal)));
    const before = http.demos.calls.length;
    await Promise.all(
      streams.map(async (events) => {
        for (let i = 0; i < 5; i += 1) await events.next();
      }),
    );
    const asked = http.demos.calls.slice(before);
    expect(new Set(asked.map(({ method }) => method))).toEqual(new Set(['findMany']));
    expect(asked.length).toBeLessThan(5 * ids.length);
    expect(asked.at(-1)?.argument).toEqual(expect.arrayContaining(ids));
    expect(asked.at(-1)?.argument).toHaveLength(ids.length);

    leave.abort();
    await Promise.allSettled(streams.map((events) => events.next()));
    const last = await watch(http, ids[0] ?? '');
    await eventually(async () => {
      await last.next();
      expect(http.demos.calls.at(-1)).toEqual({ method: 'findMany', argument: [ids[0]] });
    });
  });

  it('stays open while the store is down, and logs that once', async () => {
    await using http = await startHttp({ countdowns: { everyMs: TICK_MS } });
    const id = await taken(http.demos);
    const events = await watch(http, id);
    http.demos.failure = new TryItNowError('store_unavailable', 'Valkey does not answer');
    await nextMatching(events, ({ event }) => event === ':');
    await nextMatching(events, ({ event }) => event === ':');
    http.demos.failure = undefined;
    await nextMatching(events, ({ event }) => event === 'countdown');
    await eventually(() => {
      expect(http.lines().filter(({ msg }) => msg === 'Countdowns go on')).toHaveLength(1);
    });
    expect(http.lines().filter(({ msg }) => String(msg).startsWith('Countdowns cannot'))).toHaveLength(1);
  });

  it('bounds the streams of one address and of all, and takes them again when one left', async () => {
    await using http = await startHttp({
      trustedProxies: ['127.0.0.1'],
      countdowns: { everyMs: TICK_MS, maxPerClient: 2, maxStreams: 3 },
    });
    const id = await taken(http.demos);
    const leave = new AbortController();
    const open = (from: string, signal?: AbortSignal) =>
      fetch(`${http.url}/api/v1/demo/${id}/status`, {
        headers: { 'x-forwarded-for': from },
        ...(signal === undefined ? {} : { signal }),
      });
    expect((await open('192.0.2.1', leave.signal)).status).toBe(200);
    expect((await open('192.0.2.1')).status).toBe(200);
    const refused = await open('192.0.2.1');
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).toBe('10');
    expect(await refused.json()).toMatchObject({
      code: 'too_many_streams',
      detail: expect.stringContaining('Your address') as string,
    });
    expect((await open('192.0.2.2')).status).toBe(200);
    expect(await (await open('192.0.2.3')).json()).toMatchObject({
      code: 'too_many_streams',
      detail: expect.stringContaining('All 3') as string,
    });
    leave.abort();
    await eventually(async () => {
      const again = await open('192.0.2.1');
      await again.body?.cancel();
      expect(again.status).toBe(200);
    });
  });

  it('keeps no stream of those that were pipelined on a connection that is gone', async () => {
    await using http = await startHttp({ countdowns: { everyMs: TICK_MS, maxPerClient: 3 } });
    const path = `/api/v1/demo/${await taken(http.demos)}/status`;
    const open = async () => {
      const answers = await Promise.all([path, path, path].map((each) => fetch(http.url + each)));
      for (const { body } of answers) await body?.cancel();
      return answers.map(({ status }) => status);
    };
    const socket = await pipelined(http.port, [path, path, path]);
    expect(await open()).toEqual([429, 429, 429]);
    socket.destroy();
    await eventually(async () => expect(await open()).toEqual([200, 200, 200]));
  });

  it('keeps no stream for a client that left, or a server that drained, while the instance was looked up', async () => {
    const demos = new FakeDemos();
    const view = await demos.find(await taken(demos));
    const countdowns = new Countdowns({ demos, log: pino({ level: 'silent' }) });
    const response = () => new ServerResponse(new IncomingMessage(new Socket()));
    const left = response();
    left.destroy();
    countdowns.attach(view.instance.id, 's', left, {}, view);
    countdowns.stop();
    const late = response();
    countdowns.attach(view.instance.id, 's', late, {}, view);
    expect(late.destroyed).toBe(true);
    expect(countdowns.open).toBe(0);
  });

  it('ends when the server drains', async () => {
    await using http = await startHttp({ countdowns: { everyMs: TICK_MS } });
    const events = await watch(http, await taken(http.demos));
    http.server.drain();
    await expect(nextMatching(events, () => false)).rejects.toThrow('the stream ended');
  });

  it('answers HEAD without a stream', async () => {
    await using http = await startHttp();
    const answer = await fetch(`${http.url}/api/v1/demo/${await taken(http.demos)}/status`, { method: 'HEAD' });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  });
});

describe('a countdown where the API has a key', () => {
  const KEY = 'a-key-that-is-long-enough';
  const take = async (http: RunningServer) => {
    const answer = await fetch(`${http.url}/api/v1/demo/acquire`, { method: 'POST', headers: { 'x-api-key': KEY } });
    const { id, countdown_url: url } = (await answer.json()) as { id: string; countdown_url: string };
    return { id, path: url.slice('http://localhost:8080'.length) };
  };

  it('opens by the address that the acquire answered, for the longest that the visit may last', async () => {
    await using http = await startHttp({ countdowns: { everyMs: TICK_MS }, apiKeys: [KEY] });
    const { id, path } = await take(http);
    const codeOf = async (at: string) => ((await (await fetch(http.url + at)).json()) as { code: string }).code;
    expect(path).toMatch(new RegExp(`^/api/v1/demo/${id}/status\\?token=[\\w.-]+$`));
    const events = readEvents(await fetch(http.url + path));
    expect((await events.next()).value).toMatchObject({ event: 'countdown', data: { remaining_seconds: 60 } });
    await events.return(undefined);
    const other = await take(http);
    expect(await codeOf(path.replace(id, other.id))).toBe('token_wrong');
    expect(await codeOf(path.replace(/\?.*/, ''))).toBe('key_missing');
    expect(await codeOf(path.replace('/status', ''))).toBe('key_missing');
    http.demos.nowMs += 301_000;
    expect(await codeOf(path)).toBe('token_wrong');
    const [, token = path] = path.split('token=');
    expect(JSON.stringify(http.lines())).not.toContain(token);
  });
});
