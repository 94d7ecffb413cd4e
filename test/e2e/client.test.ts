import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer, request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ProblemError, TryItNow, type Visit, type VisitEvents } from '../../packages/client/src/index.ts';
import { ERROR_CATALOGUE } from '../../src/domain/errors.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { Releasers } from '../../src/lifecycle/releasers.ts';
import { launchChromium, whyWithoutChromium } from '../support/chromium.ts';
import { eventually } from '../support/eventually.ts';
import { startHttp } from '../support/http-server.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { silent } from '../support/store.ts';
import { template } from '../support/templates.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const EVENTS = ['queue', 'ready', 'countdown', 'ending', 'ended', 'error'] as const;

interface Told {
  readonly name: keyof VisitEvents;
  readonly detail: VisitEvents[keyof VisitEvents];
}

/** Everything that is told of it from now on. */
function record(visit: Visit): Told[] {
  const told: Told[] = [];
  for (const name of EVENTS) visit.on(name, (detail) => told.push({ name, detail }));
  return told;
}

const OFFERED = { file: 'work.json', mediaType: 'application/json', maxBytes: 10_000, timeoutMs: 20_000 };

/** Each name once, in the order in which it came first. */
const names = (told: readonly Told[]): string[] => [...new Set(told.map(({ name }) => name))];

describe('the client', () => {
  const releasers = new Releasers();
  let stack: Stack;
  let client: TryItNow;
  let origin: string;

  beforeAll(async () => {
    origin = `http://localhost:${await freePort()}`;
    stack = await startStack({
      // Who comes from elsewhere has work to prove; who is on this machine has not.
      env: { GATE_MODE: 'on', GATE_DIFFICULTY: '1000', TRUSTED_PROXIES: '127.0.0.1' },
      templates: [
        template({
          name: 'shop',
          openAllow: ['/cart'],
          allowedOrigins: [origin],
          pool: small(2, 4),
          export: { kind: 'exec', command: ['/app/export'], ...OFFERED },
        }),
        // Starts one for who waits; a second has to wait for its end.
        template({ name: 'scarce', pool: small(0, 1), export: { kind: 'http', path: '/all', ...OFFERED } }),
      ],
    });
    releasers.push('stack', () => stack[Symbol.asyncDispose]());
    client = new TryItNow({ url: `${stack.api}/` });
    await eventually(async () => expect((await client.api.GET('/api/v1/pool/stats')).data?.ready).toBe(2));
  });
  afterAll(() => releasers.releaseAll(silent));

  const waiting = async () => (await client.api.GET('/api/v1/pool/stats')).data?.waiting;

  it('takes an instance where a link asks, keeps it longer, counts down and gives it back', async () => {
    expect((await client.templates()).map((each) => each.name)).toEqual(['shop', 'scarce']);
    const visit = client.visit({ open: '/cart' });
    const told = record(visit);
    expect([visit.state, await visit.ready, visit.state]).toEqual(['waiting', visit, 'running']);
    expect([visit.template, new URL(visit.url).pathname]).toEqual(['shop', '/cart']);
    expect((await client.find(visit.id)).secondsLeft).toBeGreaterThan(0);
    await visit.use();
    await visit.extend(2);
    // What was on its way while it was extended still tells of before.
    await eventually(() => expect(visit.secondsLeft).toBeGreaterThan(60));
    await eventually(() => expect(names(told)).toEqual(['ready', 'countdown', 'ending']));
    const expiresAt = expect.stringMatching(/^20.*Z$/) as string;
    expect(told[0]?.detail).toEqual({ template: 'shop', url: visit.url, secondsLeft: 60, expiresAt });
    await visit.release();
    expect([visit.state, visit.secondsLeft, told.at(-1)]).toEqual([
      'ended',
      0,
      { name: 'ended', detail: { template: 'shop' } },
    ]);
    await expect(client.find(visit.id)).rejects.toMatchObject({ code: 'unknown_instance' });
  });

  it('hears of an end that somebody else brought about', async () => {
    const visit = await client.acquire({ template: 'shop' });
    const told = record(visit);
    await eventually(() => expect(names(told)).toContain('countdown'));
    await (await client.find(visit.id)).release();
    await eventually(() => expect(told.at(-1)?.name).toBe('ended'));
  });

  it('waits in line, with the place it has, and leaves it to those behind when it gives up', async () => {
    const first = await client.acquire({ template: 'scarce' });
    await expect(client.acquire({ template: 'scarce', wait: false })).rejects.toMatchObject({ code: 'pool_empty' });
    const second = client.visit({ template: 'scarce' });
    const told = record(second);
    await eventually(() =>
      expect(told[0]?.detail).toEqual({
        template: 'scarce',
        position: 1,
        etaSeconds: expect.any(Number) as number,
        reason: 'full',
      }),
    );
    const enough = new AbortController();
    const third = client.visit({ template: 'scarce', signal: enough.signal });
    const behind = record(third);
    await eventually(() => expect(behind.at(-1)?.detail).toMatchObject({ position: 2 }));
    const fourth = client.visit({ template: 'scarce' });
    const queued = record(fourth);
    await eventually(() => expect(queued.at(-1)?.detail).toMatchObject({ position: 3 }));
    enough.abort(new Error('enough'));
    await expect(third.ready).rejects.toThrow('enough');
    await eventually(() => expect(queued.at(-1)?.detail).toMatchObject({ position: 2 }));
    await fourth.release();
    await eventually(async () => expect(await waiting()).toBe(1));
    await first.release();
    await second.ready;
    expect(names(told)).toEqual(['queue', 'ready']);
    await second.release();
  });

  it('takes home what is in an instance, whether a command writes it or the app answers it', async () => {
    const [shop, scarce] = await Promise.all(['shop', 'scarce'].map((name) => client.acquire({ template: name })));
    for (const [visit, content] of [
      [shop, /^simulated demo-\S+\n$/],
      [scarce, /A simulated instance: <code>demo-/],
    ] as const) {
      const { file, type, body } = (await visit?.download()) ?? {};
      expect([file, type]).toEqual(['work.json', 'application/json']);
      expect(await new Response(body).text()).toMatch(content);
      await visit?.release();
    }
    await expect(shop?.download()).rejects.toBeInstanceOf(ProblemError);
    await eventually(async () =>
      expect(await (await fetch(`${stack.api}/metrics`)).text()).toMatch(
        /^try_it_now_exports_total\{template="shop",outcome="done"\} 1$/m,
      ),
    );
  });

  it('gives back what arrives after it gave up', async () => {
    let answered: (() => void) | undefined;
    const held = new Promise<void>((resolve) => (answered = resolve));
    const slow = new TryItNow({
      url: stack.api,
      fetch: async (...request) => {
        const answer = await fetch(...request);
        if (answer.status === 201) await held;
        return answer;
      },
    });
    const visit = slow.visit({ template: 'shop' });
    const assigned = async () => (await client.api.GET('/api/v1/pool/stats')).data?.templates['shop']?.assigned;
    await eventually(async () => expect(await assigned()).toBe(1));
    const left = visit.release();
    answered?.();
    await left;
    await eventually(async () => expect(await assigned()).toBe(0));
  });

  it('finds the same instance by the same key', async () => {
    const idempotencyKey = randomUUID();
    const [one, two] = await Promise.all([
      client.acquire({ template: 'shop', idempotencyKey }),
      client.acquire({ template: 'shop', idempotencyKey }),
    ]);
    expect(two.id).toBe(one.id);
    expect(() => client.visit({ idempotencyKey: 'order-1' })).toThrow(/has to be a UUID/);
    await one.release();
  });

  it('says what is wrong by the code of the API, and what to do about it', async () => {
    const visit = client.visit({ template: 'none' });
    const told = record(visit);
    const problem: unknown = await visit.ready.catch((error: unknown) => error);
    const { remedy, title } = ERROR_CATALOGUE.unknown_template;
    expect(problem).toBeInstanceOf(ProblemError);
    expect(problem).toMatchObject({ code: 'unknown_template', status: 404, title, remedy, retryable: false });
    const { message } = problem as ProblemError;
    const detail = { template: 'none', code: 'unknown_template', message, remedy, retryable: false };
    expect(told).toEqual([{ name: 'error', detail: { ...detail, retryAfterSeconds: undefined } }]);
    const nobody = new TryItNow({ url: `http://127.0.0.1:${await freePort()}` });
    await expect(nobody.acquire({ template: 'shop' })).rejects.toMatchObject({ code: 'no_answer', retryable: true });
    const visitor = new TryItNow({ url: stack.api, fetch: () => Promise.resolve(new Response('hm', { status: 502 })) });
    await expect(visitor.templates()).rejects.toMatchObject({ code: 'no_answer', status: 502 });
  });

  it('takes up the countdown again when the connection breaks, and looks where there is none to be had', async () => {
    const visit = await client.acquire({ template: 'shop' });
    let streams = 0;
    const broken = new TryItNow({
      url: stack.api,
      fetch: async (to, init) => {
        const answer = await fetch(to, init);
        if (answer.headers.get('content-type')?.startsWith('text/event-stream') !== true) return answer;
        streams += 1;
        return streams === 1 ? new Response(firstOf(answer.body), answer) : answer;
      },
    });
    const told = record(await broken.find(visit.id));
    const refused = new TryItNow({
      url: stack.api,
      fetch: (to, init) => (isStream(to) ? Promise.resolve(new Response('', { status: 429 })) : fetch(to, init)),
    });
    const looked = record(await refused.find(visit.id));
    await eventually(() => expect([streams, names(told)]).toEqual([2, ['countdown', 'ending']]));
    const before = told.length;
    await eventually(() => expect(told.length).toBeGreaterThan(before));
    await eventually(() => expect(names(looked)).toEqual(['countdown', 'ending']));
    await visit.release();
    await eventually(() => expect(told.at(-1)?.name).toBe('ended'));
  });

  it('sends the key with everything, and says when it is the wrong one', async () => {
    await using http = await startHttp({ apiKeys: ['the-key'] });
    const visit = await new TryItNow({ url: http.url, apiKey: 'the-key' }).acquire();
    const told = record(visit);
    await eventually(() => expect(names(told)).toContain('countdown'));
    visit.close();
    const listening = new AbortController();
    const { pathname, search } = new URL(visit.countdownUrl ?? '');
    const heardWithout = await fetch(`${http.url}${pathname}${search}`, { signal: listening.signal });
    expect([search.length > 20, heardWithout.status]).toEqual([true, 200]);
    listening.abort();
    await expect(new TryItNow({ url: http.url, apiKey: 'wrong' }).find(visit.id)).rejects.toMatchObject({
      code: 'key_wrong',
    });
    let key = 'the-key';
    const later = await new TryItNow({
      url: http.url,
      fetch: (to, init) => {
        const asked = new Request(to, init);
        asked.headers.set('x-api-key', key);
        return fetch(asked);
      },
    }).find(visit.id);
    key = 'revoked';
    const heard = record(later);
    await eventually(() => expect(heard).toMatchObject([{ name: 'error', detail: { code: 'key_wrong' } }]));
  });

  const why = whyWithoutChromium('the client');
  it.skipIf(why !== undefined)('works in a page of another site', async () => {
    const { outputFiles } = await build({
      entryPoints: [`${ROOT}/packages/client/src/index.ts`],
      bundle: true,
      format: 'esm',
      write: false,
      logLevel: 'silent',
    });
    const script = outputFiles[0]?.text ?? '';
    const button = `<script async src="${stack.api}/embed.js"></script><try-it-now template="shop"></try-it-now>`;
    const site = createServer((request, response) => {
      const isScript = request.url === '/client.js';
      response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
      response.end(
        isScript ? script : `<!doctype html><title>a site</title>${request.url === '/button' ? button : ''}`,
      );
    });
    site.listen(Number(new URL(origin).port));
    releasers.push('site', () => void site.close());
    const browser = await launchChromium();
    releasers.push('browser', () => browser.close());
    const page = await browser.newPage();
    await page.goto(origin);
    const told = await page.evaluate(`(async () => {
      const { TryItNow } = await import('/client.js');
      const visit = new TryItNow({ url: '${stack.api}' }).visit({ template: 'shop', open: '/cart' });
      const heard = new Set();
      for (const name of ${JSON.stringify(EVENTS)}) visit.on(name, () => heard.add(name));
      const ending = new Promise((resolve) => visit.on('ending', resolve));
      await visit.ready;
      await ending;
      await visit.release();
      return [visit.url, ...heard];
    })()`);
    expect(told).toEqual([expect.stringMatching(/\.localhost:\d+\/cart$/), 'ready', 'countdown', 'ending', 'ended']);

    // The same deployment, asked from elsewhere: with some work to prove.
    const elsewhere = forwardingFor('203.0.113.8').listen(0, '127.0.0.1');
    releasers.push('elsewhere', () => {
      elsewhere.closeAllConnections();
      elsewhere.close();
    });
    await once(elsewhere, 'listening');
    const { port } = elsewhere.address() as AddressInfo;
    const proxy = { server: `http://127.0.0.1:${port}`, bypass: '<-loopback>' };
    const pageElsewhere = async () => (await browser.newContext({ proxy })).newPage();
    const solved = async () => {
      const metrics = await (await fetch(`${stack.api}/metrics`)).text();
      return Number(/^try_it_now_gate_challenges_total\{template="shop",outcome="solved"\} (\d+)$/m.exec(metrics)?.[1]);
    };
    const before = await solved();
    const visitor = await pageElsewhere();
    await visitor.goto(stack.api);
    await visitor.locator('form[action="/try/shop"] button').click();
    await visitor.waitForURL(/\.localhost:\d+\/|\/visit\//);
    expect(await solved()).toBe(before + 1);

    const embedded = await pageElsewhere();
    await embedded.goto(`${origin}/button`);
    await embedded.getByRole('button').first().click();
    await eventually(async () => expect(await solved()).toBe(before + 2));
  });

  it('proves work where a server asks for it', async () => {
    const from =
      (address: string): typeof fetch =>
      (to, init) => {
        const asked = new Request(to, init);
        asked.headers.set('x-forwarded-for', address);
        return fetch(asked);
      };
    const refused = await from('203.0.113.7')(`${stack.api}/api/v1/demo/acquire`, { method: 'POST' });
    expect([refused.status, await refused.json()]).toEqual([
      403,
      expect.objectContaining({ code: 'challenge_required' }),
    ]);
    const visit = await new TryItNow({ url: stack.api, fetch: from('203.0.113.7') }).acquire({ template: 'shop' });
    expect(visit.state).toBe('running');
    await visit.release();
  });

  describe('the one in Python', () => {
    const program = `${ROOT}/examples/clients/python/try_it_now.py`;
    const python = (...args: string[]) => run('python3', [program, stack.api, ...args]);

    it('takes, extends, saves and gives back', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'tin-python-'));
      releasers.push('folder', () => rm(folder, { recursive: true }));
      const file = join(folder, 'work');
      const { stdout } = await python('--template', 'shop', '--open', '/cart', '--minutes', '1', '--save', file);
      expect(stdout).toMatch(/^open http:\S+\/cart\nyours for \d+ s, until \S+Z\nsaved \S+\ngiven back\n$/);
      expect(await readFile(file, 'utf8')).toMatch(/^simulated demo-\S+\n$/);
    });

    it('waits in line', async () => {
      const first = await client.acquire({ template: 'scarce' });
      const second = python('--template', 'scarce');
      await eventually(async () => expect(await waiting()).toBe(1));
      await first.release();
      expect((await second).stdout).toMatch(/^waiting: place 1, about (\d+|None) s\n[^]*open http[^]*given back\n$/);
    });

    it('proves work where a server asks for it, and comes again after what a proxy says of a restart', async () => {
      const forwarding = forwardingFor('203.0.113.8');
      let isUp = false;
      const proxy = createServer((request, response) => {
        if (isUp) forwarding.emit('request', request, response);
        else response.writeHead(502, { 'content-type': 'text/html' }).end('<h1>Bad Gateway</h1>');
        isUp = true;
      }).listen(0, '127.0.0.1');
      await once(proxy, 'listening');
      releasers.push('proxy', () => proxy.close());
      const { port } = proxy.address() as AddressInfo;
      const env = { ...process.env, http_proxy: `http://127.0.0.1:${port}` };
      const { stdout } = await run('python3', [program, stack.api, '--template', 'shop'], { env });
      expect(stdout).toMatch(/^open http[^]*given back\n$/);
    });

    it('says what is wrong, and what to do about it', async () => {
      const { stderr } = (await python('--template', 'none').catch((error: unknown) => error)) as { stderr: string };
      expect(stderr).toContain('(unknown_template). GET /api/v1/templates lists the templates.');
    });
  });
});

function small(target: number, max: number) {
  return { target, max, replenishThreshold: 0 };
}

/** A proxy whose clients are seen to come from that address. */
function forwardingFor(address: string): Server {
  return createServer((request, response) => {
    const { port, pathname, search } = new URL(request.url ?? '');
    const headers = { ...request.headers, 'x-forwarded-for': address };
    const onward = httpRequest({ host: '127.0.0.1', port, path: pathname + search, method: request.method, headers });
    onward.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  });
}

function isStream(to: string | URL | Request): boolean {
  return String(to instanceof Request ? to.url : to).endsWith('/status');
}

/** A stream that ends after the first piece of another one. */
function firstOf(body: ReadableStream<Uint8Array> | null): ReadableStream<Uint8Array> {
  const reader = body?.getReader();
  return new ReadableStream({
    async pull(controller) {
      const piece = await reader?.read();
      if (piece?.value !== undefined) controller.enqueue(piece.value);
      controller.close();
      await reader?.cancel();
    },
  });
}
