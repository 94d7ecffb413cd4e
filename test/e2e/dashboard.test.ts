import { Redis as Valkey } from 'iovalkey';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OPERATOR_ROLES, type OperatorRole } from '../../src/domain/operator-role.ts';
import { axeViolations } from '../support/axe.ts';
import { launchChromium, whyWithoutChromium } from '../support/chromium.ts';
import { DashboardLogin, send } from '../support/dashboard-login.ts';
import { putsAndRemovesPreviews, triesKeyForPreviews } from '../support/dashboard-previews.ts';
import { respectsTheReader } from '../support/dashboard-reader.ts';
import { eventually } from '../support/eventually.ts';
import { HOSTILE_AS_SHOWN, fillWithHostileText } from '../support/hostile-text.ts';
import { OPERATOR_KEY, askAdmin, operatorOf } from '../support/operator.ts';
import { triesEveryRole } from '../support/operator-roles.ts';
import { readEvents } from '../support/sse.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { suspend } from '../support/suspend.ts';
import { template } from '../support/templates.ts';

const KEYS: Readonly<Record<OperatorRole, string>> = {
  viewer: 'a-key-that-only-looks',
  operator: 'a-key-for-every-day',
  admin: OPERATOR_KEY,
};
const PREVIEWS_KEY = 'a-key-that-builds-have';
const PAGES = [
  '/',
  '/pools/tiny',
  '/instances',
  '/queue',
  '/nodes',
  '/nodes/node0',
  '/templates',
  '/previews',
  '/images',
  '/networks',
  '/webhooks',
  '/checkpoints',
  '/doctor',
  '/audit',
];
const SHOP = 'registry.example.org/shop:1';

let stack: Stack;
let valkey: Valkey;
let base: string;
let operator: ReturnType<typeof operatorOf>;

beforeAll(async () => {
  stack = await startStack({
    env: {
      OPERATOR_KEYS: `${KEYS.admin},operator:${KEYS.operator},viewer:${KEYS.viewer},previews:${PREVIEWS_KEY}`,
      TRUSTED_PROXIES: '127.0.0.1',
      GATE_MODE: 'off',
    },
    templates: [
      template({
        pool: { target: 2, max: 8, replenishThreshold: 0 },
        previews: { images: ['localhost/acme/tiny:pr-*'], max: 3, maxAgeMs: 86_400_000, pool: { target: 1, max: 2 } },
      }),
      template({
        ...{ name: 'failing', pool: { target: 0, max: 2, replenishThreshold: 0 } },
        ...{ image: SHOP, imageCheck: { kind: 'manual' } },
      }),
    ],
  });
  base = `http://127.0.0.1:${stack.config.admin.port}`;
  operator = operatorOf(stack);
  valkey = new Valkey(stack.config.valkey.port, stack.config.valkey.host);
  await eventually(async () => expect(await operator.pool()).toMatchObject({ ready: 2, warming: 0 }));
  expect((await operator.acquire()).status).toBe(201);
  await fillWithHostileText(valkey, operator, SHOP);
});
afterAll(async () => {
  valkey.disconnect();
  await stack[Symbol.asyncDispose]();
});

const loggedIn = (role: OperatorRole): Promise<DashboardLogin> => DashboardLogin.withKey(base, KEYS[role]);

describe('logging in', () => {
  it('is asked of a browser, and of nobody else, wherever it goes', async () => {
    const answer = await fetch(`${base}/queue?x=1`, { redirect: 'manual', headers: { accept: 'text/html' } });
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/login?next=%2Fqueue%3Fx%3D1']);
    expect((await askAdmin(stack.config.admin.port, 'GET', '/queue', { key: null })).json).toMatchObject({
      code: 'key_missing',
    });
    expect(
      (await askAdmin(stack.config.admin.port, 'GET', '/queue', { key: 'a-wrong-key-at-all' })).json,
    ).toMatchObject({
      code: 'key_wrong',
    });
  });

  it('with a wrong key is refused, says so, and is counted', async () => {
    const before = await refusals('key_wrong');
    const answer = await send(base, '/login', { key: 'a-wrong-key-at-all' });
    expect(answer.status).toBe(403);
    expect(await answer.text()).toContain('not one that this server accepts');
    expect(answer.headers.getSetCookie()).toEqual([]);
    expect(await refusals('key_wrong')).toBe(before + 1);
  });

  it('leaves a cookie that no script reads and no other site sends, and a digest of it in Valkey', async () => {
    const answer = await send(base, '/login', { key: KEYS.viewer, next: '/queue' });
    expect(answer.headers.get('location')).toBe('/queue');
    const [line = ''] = answer.headers.getSetCookie();
    expect(line).toMatch(/^operator=[\w-]{43}; Max-Age=43200; Path=\/; HttpOnly; SameSite=Strict$/);
    const secret = line.slice('operator='.length, line.indexOf(';'));
    expect(JSON.stringify(await valkey.hgetall('operator_sessions'))).not.toContain(secret);
  });

  it.each(['//evil.example', 'https://evil.example/', '/\\evil.example', '/login?next=/', '/a\r\nset-cookie:x=1'])(
    'never leads to %j afterwards',
    async (next) => {
      expect((await send(base, '/login', { key: KEYS.viewer, next })).headers.get('location')).toBe('/');
    },
  );

  it('ends by logging out, which takes the token of the login', async () => {
    const login = await loggedIn('viewer');
    expect((await login.logOut('guessed')).status).toBe(403);
    expect((await login.get('/')).status).toBe(200);
    expect((await login.logOut(await login.formToken())).headers.get('location')).toBe('/login');
    expect((await login.get('/')).status).toBe(303);
  });

  it('ends with the time that Valkey keeps', async () => {
    const login = await loggedIn('viewer');
    for (const [id, text] of Object.entries(await valkey.hgetall('operator_sessions')))
      await valkey.hset('operator_sessions', id, text.replace(/"untilMs":\d+/, `"untilMs":${Date.now() - 1}`));
    expect((await login.get('/')).status).toBe(303);
  });
});

describe('what other sites have a browser send', () => {
  it.each([
    ['of another site', { origin: 'https://evil.example' }],
    ['of an instance beside it', { origin: 'http://label.localhost', 'sec-fetch-site': 'same-site' }],
    ['of nobody', { origin: 'null' }],
  ])('a form %s is refused', async (_name, headers) => {
    const login = await loggedIn('admin');
    const fields = { token: await login.formToken(), on: 'tiny' };
    for (const path of ['/act/pool.pause', '/logout', '/login'])
      expect((await send(base, path, { ...fields, key: KEYS.admin }, login.cookie, headers)).status).toBe(403);
    expect(await operator.pool()).toMatchObject({ mode: 'open' });
  });

  it('the cookie alone changes nothing, neither by form nor by the API', async () => {
    const login = await loggedIn('admin');
    const other = await loggedIn('admin');
    for (const token of ['', 'guessed', await other.formToken()]) {
      expect((await send(base, '/act/pool.pause', { token, on: 'tiny' }, login.cookie)).status).toBe(403);
      const answer = await fetch(`${base}/admin/v1/pools/tiny/pause`, {
        method: 'POST',
        headers: { cookie: login.cookie, 'x-form-token': token },
      });
      expect([answer.status, await answer.json()]).toEqual([403, expect.objectContaining({ code: 'form_outdated' })]);
    }
    expect(await operator.pool()).toMatchObject({ mode: 'open' });
  });

  it('pages are in no frame and run no script but ours', async () => {
    const { headers } = await (await loggedIn('viewer')).get('/');
    expect(headers.get('content-security-policy')).toBe(
      "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    );
    expect(headers.get('cache-control')).toBe('no-store');
  });
});

describe('roles', () => {
  const logins = new Map<OperatorRole, DashboardLogin>();
  beforeAll(async () => {
    for (const role of OPERATOR_ROLES) logins.set(role, await loggedIn(role));
  });

  const ask = async (key: string, method: string, path: string, body: object | undefined) => {
    const sent = { key, ...(body === undefined ? {} : { body }) };
    const { status, json } = await askAdmin(stack.config.admin.port, method, path, sent);
    return { status, code: json?.['code'] };
  };

  triesEveryRole((role) => ({
    route: (method, path, body) => ask(KEYS[role], method, path, body),
    act: async (name, fields) => (logins.get(role) ?? (await loggedIn(role))).act(name, fields),
  }));

  it('hide what they may not do, and say so', async () => {
    const shown = async (role: OperatorRole): Promise<string[]> => {
      const login = await loggedIn(role);
      const pages = await Promise.all(PAGES.map((path) => login.page(path)));
      return [
        ...new Set(
          pages.flatMap((page) => [...page.matchAll(/action="\/act\/([^"]+)"/g)].map(([, name]) => name ?? '')),
        ),
      ];
    };
    expect(await shown('viewer')).toEqual([]);
    expect(await shown('operator')).toEqual(expect.arrayContaining(['pool.pause', 'node.drain', 'bans.add']));
    expect(await shown('operator')).not.toContain('queue.purge');
    expect(await shown('admin')).toContain('queue.purge');
    expect(await (await loggedIn('viewer')).page('/pools/tiny')).toContain('may look at this and change nothing');
  });

  triesKeyForPreviews(PREVIEWS_KEY, PAGES, () => ({
    ...{ base, valkey, login: () => loggedIn('viewer') },
    ask: (method, path, body) => ask(PREVIEWS_KEY, method, path, body),
  }));

  it('leave what was refused in the audit log', async () => {
    expect((await (await loggedIn('viewer')).act('pool.pause', { on: 'tiny' })).status).toBe(403);
    // The tries of each role came before, within the minute for which one is kept.
    expect(await operator.list('/audit?limit=10000', 'entries')).toContainEqual(
      expect.objectContaining({ action: 'pool.pause', outcome: 'role_too_low' }),
    );
    expect(await operator.pool()).toMatchObject({ mode: 'open' });
  });
});

describe('acting', () => {
  it('on an image shows what is refused and why, goes back, and says what visitors get then', async () => {
    const login = await loggedIn('operator');
    const before = await login.page('/images');
    expect(before).toContain('A new image is refused, and reaches nobody.');
    expect(before).toContain('sha256:01');
    expect(await login.page('/')).toContain(`A new ${SHOP} is refused`);
    const asked = await login.act('image.rollback', { on: SHOP, sure: '' });
    expect(await asked.text()).toContain('by the image before?');
    const done = await login.act('image.rollback', { on: SHOP });
    expect(done.status).toBe(303);
    const [pin] = await valkey.hmget('image_pins', SHOP);
    expect(JSON.parse(pin ?? '')).toMatchObject({ id: 'sha256:00' });
    expect(await newestAudit()).toMatchObject({ action: 'image.rollback', on: SHOP, outcome: 'done' });
    await login.act('image.hold', { on: SHOP, reason: 'until Monday' });
    expect(await login.page('/images')).toContain('until Monday');
  });

  it('asks what the command asks, does it, says so, and is kept under the name of who did it', async () => {
    const login = await loggedIn('operator');
    const id = String((await operator.list('/instances?state=ready', 'instances'))[0]?.['id']);
    const fields = { on: id, template: 'tiny', state: 'ready' };
    const asked = await login.act('instance.release', { ...fields, sure: '' });
    expect([asked.status, await asked.text()]).toEqual([
      200,
      expect.stringContaining(`End instance ${id} of tiny (it is ready)?`),
    ]);
    expect((await operator.ask('GET', `/instances/${id}`)).json).toMatchObject({ state: 'ready' });
    const done = await login.act('instance.release', fields);
    expect(done.status).toBe(303);
    expect(await login.page(done.headers.get('location') ?? '')).toContain(`Instance ${id} is releasing`);
    expect(await newestAudit()).toMatchObject({
      who: expect.stringMatching(/^key:[0-9a-f]{8}$/) as string,
      action: 'instance.release',
      on: id,
      outcome: 'done',
    });
  });

  it('refuses what is wrong in words, and changes nothing', async () => {
    const login = await loggedIn('operator');
    const tries: [string, Readonly<Record<string, string>>, string][] = [
      ['pool.scale', { on: 'tiny', target: 'many' }, 'it must be a whole number'],
      ['pool.scale', { on: 'tiny', target: '99' }, 'must be &lt;= 8'],
      ['pool.drain', { on: 'tiny', within: 'soon' }, 'The time is'],
      ['pool.pause', { on: 'nothing-there' }, 'There is no template named'],
      ['bans.add', { network: 'all' }, 'invalid_request'],
    ];
    for (const [name, fields, words] of tries) {
      const answer = await login.act(name, fields);
      expect([answer.status >= 400, await answer.text()]).toEqual([true, expect.stringContaining(words)]);
    }
    expect(await operator.pool()).toMatchObject({ mode: 'open', target: 2 });
  });

  putsAndRemovesPreviews(
    () => loggedIn('operator'),
    () => operator,
  );

  it('runs doctor, and says how far it is and what it found', async () => {
    const login = await loggedIn('operator');
    // The one that a role was tried with may still be going on.
    await eventually(async () => expect((await login.act('doctor.run')).status).toBe(303));
    await eventually(async () => {
      const page = await login.page('/doctor');
      expect(page).toContain('What it found');
      expect(page).not.toContain('checks have ended');
      expect(page).toMatch(/Pools, failing<\/strong>|Pools, pool failing<\/strong>/);
      expect(page).toMatch(/Previews, gone-pr-1<\/strong>[^]*not offered: the file has no template named &lt;img/);
    });
    // For the dashboards of other servers.
    expect(Object.values(await valkey.hgetall('processes')).join()).toContain('"action":"doctor.run"');
    const [ended, begun] = (await operator.list('/audit?limit=50', 'entries')).filter(
      ({ action }) => action === 'doctor.run',
    );
    expect([begun, ended].map((entry) => entry?.['outcome'])).toEqual(['begun', 'done']);
  });

  it('says of what goes on later how that failed', async () => {
    const login = await loggedIn('operator');
    expect((await login.act('checkpoint.create', { template: 'tiny', promote: 'true' })).status).toBe(303);
    await eventually(async () => {
      const [job] = await operator.list('/jobs', 'jobs');
      expect(job).toMatchObject({ action: 'checkpoint.create', on: 'tiny', state: 'failed' });
      expect(await login.page('/checkpoints')).toContain(String(job?.['said']).slice(0, 30));
    });
    expect((await login.act('checkpoint.create', { template: 'nothing-there' })).status).toBe(404);
  });

  it('is told whether a page may be live, without that', async () => {
    const { cookie } = await loggedIn('viewer');
    const answer = await fetch(`${base}/live`, { method: 'HEAD', headers: { cookie } });
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8']);
  });

  it('logs others out, whose open pages end', async () => {
    const login = await loggedIn('viewer');
    const events = readEvents(await login.get('/live', { accept: 'text/event-stream' }));
    expect((await events.next()).value).toMatchObject({ data: { clock: expect.stringContaining('UTC') as string } });
    const [newest] = await operator.list('/sessions', 'sessions');
    expect(newest).toMatchObject({ role: 'viewer' });
    expect((await (await loggedIn('admin')).act('sessions.end', { on: String(newest?.['id']) })).status).toBe(303);
    const rest: string[] = [];
    for await (const { event } of events) rest.push(event);
    expect(rest.at(-1)).toBe('ended');
    expect((await login.get('/')).status).toBe(303);
  });
});

it('draws how a pool stood, and says what came and how much of it was served at once', async () => {
  const sample = (clicked: number, missed: number, ready: number): string =>
    JSON.stringify({ v: 1, atMs: Date.now(), ready, assigned: 0, waiting: 0, clicked, missed });
  const key = 'pool_history:failing';
  await valkey
    .multi()
    .del(key)
    .lpush(key, sample(100, 7, 4), sample(108, 8, 1))
    .exec();
  const login = await loggedIn('viewer');
  await eventually(async () => {
    const page = await login.page('/pools/failing');
    expect(page).toMatch(/aria-label="Ready in the last half hour: between \d and 4, now \d"/);
    expect(page).toContain('8 clicks in half an hour, 87 % served at once');
  });
});

describe('what others wrote', () => {
  it.each(['/', '/pools/failing', '/previews', '/templates', '/networks', '/audit?limit=10000'])(
    'is text and steers nothing on %s',
    async (path) => {
      const page = await (await loggedIn('admin')).page(path);
      expect(page).not.toContain('<img src=x');
      expect(page.replaceAll('\n', '')).not.toMatch(/\p{Cc}|\u202e/u);
      expect(page).toContain('&lt;img src=x onerror=');
      if (path === '/pools/failing') expect(page).toContain(HOSTILE_AS_SHOWN);
    },
  );
});

const why = whyWithoutChromium('the dashboard');
const SHOTS = process.env['SHOTS'];

describe.skipIf(why !== undefined)(why === undefined ? 'in a browser' : `in a browser (skipped: ${why})`, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser.close());

  const open = async (): Promise<Page> => {
    const page = await browser.newPage({ viewport: { width: 1280, height: 844 } });
    await page.goto(base);
    await page.fill('[name=key]', KEYS.admin);
    await page.press('[name=key]', 'Enter');
    await page.waitForSelector('.shell');
    return page;
  };
  const overflow = (page: Page): Promise<number> =>
    page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');

  it('every page fits phones and desktops, and is accessible, light and dark', async () => {
    const page = await open();
    const shoot = async (path: string, view: string): Promise<void> => {
      const name = path.replaceAll(/\W+/g, '-');
      if (SHOTS !== undefined) await page.screenshot({ path: `${SHOTS}/dashboard${name}-${view}.png`, fullPage: true });
    };
    for (const path of [...PAGES, '/pools/failing', '/sessions', '/instances/nothing']) {
      await page.goto(`${base}${path}`);
      await page.setViewportSize({ width: 1280, height: 844 });
      await page.emulateMedia({ colorScheme: 'light' });
      expect([path, await overflow(page), await axeViolations(page)]).toEqual([path, 0, []]);
      await shoot(path, 'desktop');
      await page.emulateMedia({ colorScheme: 'dark' });
      expect([path, 'dark', await axeViolations(page, 'colours')]).toEqual([path, 'dark', []]);
      await page.setViewportSize({ width: 390, height: 844 });
      expect([path, 'phone', await overflow(page), await axeViolations(page, 'layout')]).toEqual([
        path,
        'phone',
        0,
        [],
      ]);
      await shoot(path, 'phone-dark');
    }
    expect(await page.title()).not.toBe('taken');
    await page.close();
  });

  respectsTheReader(PAGES, open, () => ({ base, operator }));

  it('shows what changes without a reload, and says when the server has gone silent', async () => {
    const page = await open();
    await operator.ask('POST', '/pools/tiny/pause', { reason: 'Back at three' });
    await page.waitForSelector('[data-live="pool.tiny.mode"] >> text=paused');
    await page.waitForSelector('[data-live="problems"] >> text=Back at three');
    await operator.ask('POST', '/pools/tiny/resume', {});
    await page.waitForSelector('[data-live="pool.tiny.mode"] >> text=open');
    await suspend(stack.valkey.server);
    try {
      await page.waitForSelector('[data-live="problems"] >> text=Critical');
      const reloaded = await page.goto(base);
      expect(reloaded?.status()).toBe(503);
      expect(await page.textContent('main')).toContain('Valkey');
    } finally {
      process.kill(stack.valkey.server.pid ?? 0, 'SIGCONT');
    }
    await page.close();
  });
});

async function refusals(code: string): Promise<number> {
  const metrics = await (await fetch(`${stack.api}/metrics`)).text();
  return Number(new RegExp(`^try_it_now_admin_refusals_total{code="${code}"} (\\d+)$`, 'm').exec(metrics)?.[1] ?? 0);
}

async function newestAudit(): Promise<unknown> {
  return (await operator.list('/audit?limit=1', 'entries'))[0];
}
