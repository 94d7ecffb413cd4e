import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startHttp, type RunningServer } from '../../test/support/http-server.ts';
import { pipelined } from '../../test/support/raw-http.ts';
import { readEvents, type SseEvent } from '../../test/support/sse.ts';

interface Body {
  readonly place: string;
  readonly position: number;
  readonly code: string;
}

let http: RunningServer;
beforeEach(async () => {
  http = await startHttp({ countdowns: { everyMs: 20, maxPerClient: 2 }, apiKeys: ['key'] });
  http.demos.ready.set('hello', 0);
});
afterEach(() => http[Symbol.asyncDispose]());

const post = async (body: object = {}) =>
  fetch(`${http.url}/api/v1/waiting`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': 'key' },
    body: JSON.stringify(body),
  });
const wait = async (body: object = {}) => (await (await post(body)).json()) as Body;
const at = async (place: string, path = '', init: RequestInit = {}) =>
  fetch(`${http.url}/api/v1/waiting/${place}${path}`, init);

describe('a place in the line', () => {
  it('is given where none is ready, looked at without a key, and turns into an instance', async () => {
    const answer = await post({ template: 'hello' });
    const body = (await answer.json()) as Body;
    expect([answer.status, answer.headers.get('location')]).toEqual([202, `/api/v1/waiting/${body.place}`]);
    expect(body).toEqual({
      state: 'waiting',
      place: expect.stringMatching(/^hello\.[\w-]{22}$/) as string,
      template: 'hello',
      position: 1,
      eta_seconds: 4,
      reason: 'preparing',
      waited_seconds: 1,
      ask_again_seconds: 2,
    });
    expect(await wait({ place: body.place })).toEqual(body);
    expect(await wait()).toMatchObject({ position: 2 });
    http.demos.ready.set('hello', 1);
    expect(await (await at(body.place)).json()).toMatchObject({ state: 'turn', eta_seconds: 0 });
    const served = await post({ place: body.place });
    expect([served.status, await served.json()]).toEqual([
      201,
      expect.objectContaining({ template: 'hello', url: expect.any(String) as string }),
    ]);
    expect((await post({ place: body.place })).status).toBe(200);
    expect((await at(body.place)).status).toBe(404);
  });

  it('says nothing of when while nothing is prepared, and why', async () => {
    const { place } = await wait();
    http.demos.refill = 'failing';
    expect(await (await at(place)).json()).toMatchObject({ eta_seconds: null, reason: 'failing' });
    http.demos.control = { ...http.demos.control, mode: 'paused' };
    expect(await (await at(place)).json()).toMatchObject({ eta_seconds: null, reason: 'paused', state: 'waiting' });
  });

  it('is given up once, and those behind move up', async () => {
    const [first, second] = [await wait(), await wait()];
    for (let times = 0; times < 2; times += 1)
      expect((await at(first.place, '', { method: 'DELETE' })).status).toBe(204);
    expect(await (await at(second.place)).json()).toMatchObject({ position: 1 });
    const gone = await at(first.place);
    expect([gone.status, await gone.json()]).toEqual([404, expect.objectContaining({ code: 'unknown_place' })]);
  });

  it('is taken with a key alone, and only by its whole token', async () => {
    const answer = await fetch(`${http.url}/api/v1/waiting`, { method: 'POST' });
    expect([answer.status, ((await answer.json()) as Body).code]).toEqual([401, 'key_missing']);
    expect(((await (await at('hello.short')).json()) as Body).code).toBe('unknown_place');
    expect((await at(`nope.${'a'.repeat(22)}`)).status).toBe(404);
    expect((await wait({ template: 'nope' })).code).toBe('unknown_template');
  });
});

describe('the events of a place', () => {
  it('tell of each change, then of the turn, and end', async () => {
    const [first, second] = [await wait(), await wait()];
    const events = readEvents(await at(second.place, '/events'));
    const told = async () => (await events.next()).value as SseEvent;
    expect(await told()).toMatchObject({ event: 'place', data: { position: 2, place: second.place } });
    await at(first.place, '', { method: 'DELETE' });
    expect(await told()).toMatchObject({ event: 'place', data: { position: 1 } });
    http.demos.ready.set('hello', 1);
    expect(await told()).toMatchObject({ event: 'turn', data: { state: 'turn', position: 1 } });
    expect((await events.next()).done).toBe(true);
  });

  it('say when the place is gone, and go on while the store is away', async () => {
    const { place } = await wait();
    const events = readEvents(await at(place, '/events'));
    await events.next();
    http.demos.failure = new Error('away');
    const looks = http.demos.count('places');
    await expect.poll(() => http.demos.count('places')).toBeGreaterThan(looks + 2);
    http.demos.failure = undefined;
    await at(place, '', { method: 'DELETE' });
    expect((await events.next()).value).toMatchObject({ event: 'gone' });
    expect(http.lines().filter(({ msg }) => String(msg).includes('told of their places'))).toHaveLength(2);
  });

  it('are not had without bound', async () => {
    const { place } = await wait();
    const open = [await at(place, '/events'), await at(place, '/events')];
    const refused = await at(place, '/events');
    expect([refused.status, ((await refused.json()) as Body).code]).toEqual([429, 'too_many_streams']);
    for (const { body } of open) await body?.cancel();
    await expect
      .poll(async () => {
        const again = await at(place, '/events');
        await again.body?.cancel();
        return again.status;
      })
      .toBe(200);
  });

  it('count no longer for those who pipelined them and hung up', async () => {
    const { place } = await wait();
    const path = `/api/v1/waiting/${place}/events`;
    const open = async () => {
      const answers = await Promise.all([at(place, '/events'), at(place, '/events')]);
      for (const { body } of answers) await body?.cancel();
      return answers.map(({ status }) => status);
    };
    const socket = await pipelined(http.port, [path, path]);
    expect(await open()).toEqual([429, 429]);
    socket.destroy();
    await expect.poll(open).toEqual([200, 200]);
  });

  it('end when the server stops', async () => {
    const { place } = await wait();
    const events = readEvents(await at(place, '/events'));
    await events.next();
    http.server.drain();
    expect((await events.next()).done).toBe(true);
  });
});
