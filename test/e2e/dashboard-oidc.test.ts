import { createHash } from 'node:crypto';
import { Redis as Valkey } from 'iovalkey';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OPERATOR_ROLES, type OperatorRole } from '../../src/domain/operator-role.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { axeViolations } from '../support/axe.ts';
import { launchChromium, whyWithoutChromium } from '../support/chromium.ts';
import { DashboardLogin, send } from '../support/dashboard-login.ts';
import { OIDC_CLIENT, TestOidcProvider, followTo, type Person } from '../support/oidc-provider.ts';
import { OPERATOR_KEY, operatorOf } from '../support/operator.ts';
import { triesEveryRole } from '../support/operator-roles.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { template } from '../support/templates.ts';

const person = (name: string, ...groups: string[]): Person => ({
  sub: `sub-of-${name}`,
  email: `${name}@example.org`,
  email_verified: true,
  groups,
});
const PEOPLE: Readonly<Record<OperatorRole, Person>> = {
  viewer: person('vera', 'support'),
  operator: person('otto', 'support', 'on-call'),
  admin: person('ada', 'ops', 'on-call'),
};
const STRANGER = person('stranger', 'sales');

let stack: Stack;
let provider: TestOidcProvider;
/** As DASHBOARD_URL has it, a site of its own beside the provider's. */
let base: string;
let host: string;
let operator: ReturnType<typeof operatorOf>;
let valkey: Valkey;

beforeAll(async () => {
  const port = await freePort();
  base = `http://localhost:${port}`;
  provider = await TestOidcProvider.at(`${base}/login/oidc/callback`, `${base}/login`);
  host = new URL(provider.issuer).host;
  // The provider is not there yet, and the server starts all the same.
  stack = await startStack({
    env: {
      ADMIN_ADDR: `127.0.0.1:${port}`,
      DASHBOARD_URL: base,
      OPERATOR_KEYS: OPERATOR_KEY,
      OIDC_ISSUER: provider.issuer,
      OIDC_CLIENT_ID: OIDC_CLIENT.id,
      OIDC_CLIENT_SECRET: OIDC_CLIENT.secret,
      OIDC_SCOPE: 'openid email groups',
      OIDC_ROLES: 'viewer:support,operator:on-call,admin:ops',
      DASHBOARD_SESSION: '1h',
    },
    templates: [template({ pool: { target: 0, max: 2, replenishThreshold: 0 } })],
  });
  operator = operatorOf(stack);
  valkey = new Valkey(stack.config.valkey.port, stack.config.valkey.host);
});
afterAll(async () => {
  valkey.disconnect();
  await provider.stop();
  await stack[Symbol.asyncDispose]();
});

const get = (path: string, cookie = ''): Promise<Response> =>
  fetch(`${base}${path}`, { redirect: 'manual', headers: { accept: 'text/html', cookie } });
const cookiesOf = (answer: Response): string[] =>
  answer.headers.getSetCookie().map((line) => line.slice(0, line.indexOf(';')));

describe('while the provider is not there', () => {
  it('says so to who goes there, and lets in by key', async () => {
    const page = await (await get('/login')).text();
    expect(page).toContain(`Log in with ${host}`);
    const answer = await get('/login/oidc');
    expect([answer.status, await answer.text()]).toEqual([503, expect.stringContaining('log in with an operator key')]);
    expect(cookiesOf(answer)).toEqual([]);
    expect((await (await DashboardLogin.withKey(base, OPERATOR_KEY)).get('/')).status).toBe(200);
  });
});

describe('with the provider', () => {
  beforeAll(() => provider.start());

  /** What a browser has once somebody comes back from the provider, before it asks for the address that it came to. */
  async function comeBack(who: Person | null, next = '/'): Promise<{ path: string; cookie: string }> {
    provider.person = who;
    const begun = await get(`/login/oidc?${new URLSearchParams({ next }).toString()}`);
    expect(begun.status).toBe(303);
    const to = await followTo(`${base}/login/oidc/callback`, begun.headers.get('location') ?? '');
    return { path: `${to.pathname}${to.search}`, cookie: cookiesOf(begun).join('; ') };
  }

  async function logIn(who: Person): Promise<DashboardLogin> {
    const { path, cookie } = await comeBack(who);
    const answer = await get(path, cookie);
    expect(answer.status).toBe(200);
    return new DashboardLogin(base, cookiesOf(answer).find((each) => each.startsWith('operator=')) ?? '');
  }

  const refusal = async (answer: Response): Promise<unknown> => {
    expect(cookiesOf(answer).filter((each) => each.startsWith('operator='))).toEqual([]);
    return [answer.status, /<code>(\w+)<\/code>/.exec(await answer.text())?.[1]];
  };

  describe('each role', () => {
    const logins = new Map<OperatorRole, DashboardLogin>();
    beforeAll(async () => {
      for (const role of OPERATOR_ROLES) logins.set(role, await logIn(PEOPLE[role]));
    });
    const loginOf = async (role: OperatorRole) => logins.get(role) ?? (await logIn(PEOPLE[role]));

    triesEveryRole((role) => ({
      route: async (method, path, body) => {
        const login = await loginOf(role);
        const answer = await fetch(`${base}${path}`, {
          method,
          headers: {
            cookie: login.cookie,
            'x-form-token': await login.formToken(),
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
        const text = await answer.text();
        return { status: answer.status, code: /"code":"(\w+)"/.exec(text)?.[1] };
      },
      act: async (name, fields) => (await loginOf(role)).act(name, fields),
    }));

    it('is kept under the name of who it is, and of who says so', async () => {
      await (await loginOf('operator')).act('pool.pause', { on: 'tiny' });
      const [newest] = await operator.list('/audit?limit=1', 'entries');
      expect(newest).toMatchObject({ who: `oidc:otto@example.org at ${host}`, action: 'pool.pause', outcome: 'done' });
      expect((await operator.list('/sessions', 'sessions')).map(({ who, role }) => [who, role])).toContainEqual([
        `oidc:ada@example.org at ${host}`,
        'admin',
      ]);
    });
  });

  it('leaves strict cookies of ours alone, as long as configured, and leads on by a page', async () => {
    const { path, cookie } = await comeBack(PEOPLE.viewer, '/queue?x=1');
    const begun = (await get('/login/oidc')).headers.getSetCookie()[0];
    expect(begun).toMatch(/^operator-login=[^;]+; Max-Age=600; Path=\/; HttpOnly; SameSite=Lax$/);
    const answer = await get(path, cookie);
    const lines = answer.headers.getSetCookie();
    expect(lines).toContainEqual(
      expect.stringMatching(/^operator=[\w-]{43}; Max-Age=3600; Path=\/; HttpOnly; SameSite=Strict$/),
    );
    expect(lines).toContainEqual(expect.stringMatching(/^operator-login=; .*Expires=Thu, 01 Jan 1970/));
    expect(await answer.text()).toContain('<meta http-equiv="refresh" content="0; url=/queue?x=1">');
  });

  it.each(['//evil.example', 'https://evil.example/', '/\\evil.example', '/login/oidc'])(
    'never leads to %j afterwards',
    async (next) => {
      const { path, cookie } = await comeBack(PEOPLE.viewer, next);
      expect(await (await get(path, cookie)).text()).toContain('content="0; url=/">');
      // Nor by a cookie that somebody else put there.
      const again = await comeBack(PEOPLE.viewer);
      expect(await (await get(again.path, `${again.cookie.slice(0, -1)}${next}`)).text()).not.toContain('evil');
    },
  );

  it('ends the login that the browser had, and takes none that was put there', async () => {
    const old = await logIn(PEOPLE.viewer);
    const planted = `operator=${'A'.repeat(43)}`;
    for (const had of [old.cookie, planted]) {
      const { path, cookie } = await comeBack(PEOPLE.admin);
      const answer = await get(path, `${cookie}; ${had}`);
      expect(cookiesOf(answer)).not.toContain(had);
      expect((await get('/', had)).status).toBe(303);
    }
  });

  it('refuses who has no role, says who they are, and counts it', async () => {
    const { path, cookie } = await comeBack(STRANGER);
    const answer = await get(path, cookie);
    const page = await answer.clone().text();
    expect(await refusal(answer)).toEqual([403, 'login_without_role']);
    expect(page).toContain(`You are oidc:stranger@example.org at ${host}`);
    expect(await (await fetch(`${stack.api}/metrics`)).text()).toMatch(
      /try_it_now_admin_refusals_total\{code="login_without_role"\} [1-9]/,
    );
  });

  it('refuses who changed their mind', async () => {
    const { path, cookie } = await comeBack(null);
    expect(await refusal(await get(path, cookie))).toEqual([403, 'login_refused']);
  });

  it('refuses what was begun in another browser, or in none', async () => {
    const [mine, theirs] = [await comeBack(PEOPLE.admin), await comeBack(PEOPLE.admin)];
    for (const cookie of ['', theirs.cookie, 'operator-login=short/', `operator-login=${'A'.repeat(43)}/`])
      expect(await refusal(await get(mine.path, cookie))).toEqual([403, 'login_refused']);
    expect((await get(mine.path, mine.cookie)).status).toBe(200);
  });

  it('refuses an answer that was used before', async () => {
    const { path, cookie } = await comeBack(PEOPLE.admin);
    expect((await get(path, cookie)).status).toBe(200);
    expect(await refusal(await get(path, cookie))).toEqual([403, 'login_refused']);
  });

  it('logs out here, and offers to log out there', async () => {
    const login = await logIn(PEOPLE.viewer);
    const out = await login.logOut(await login.formToken());
    expect([out.status, out.headers.get('location')]).toEqual([303, '/login?left=']);
    expect((await login.get('/')).status).toBe(303);
    const page = await (await get('/login?left=')).text();
    const there = /href="([^"]+)">log out there too/.exec(page)?.[1]?.replaceAll('&amp;', '&') ?? '';
    expect(there).toContain(encodeURIComponent(`${base}/login`));
    expect((await fetch(there)).status).toBe(200);
  });

  it.each([
    ['of another issuer', { issuer: 'https://id.example.org', values: ['ops'] }, 303],
    ['whose grant is gone', { values: ['was-granted-before'] }, 303],
    ['whose grants are the same', {}, 200],
  ])('a login %s counts as that', async (_name, change, status) => {
    const login = await logIn(PEOPLE.admin);
    const id = createHash('sha256').update(login.cookie.slice('operator='.length)).digest('hex');
    const session = JSON.parse((await valkey.hget('operator_sessions', id)) ?? '') as { vouched: object };
    expect(session.vouched).toEqual({ issuer: provider.issuer, values: ['on-call', 'ops'] });
    const changed = { ...session, vouched: { ...session.vouched, ...change } };
    await valkey.hset('operator_sessions', id, JSON.stringify(changed));
    expect((await login.get('/')).status).toBe(status);
  });

  const why = whyWithoutChromium('the login through a provider');
  it.skipIf(why !== undefined)('takes a browser there and back', async () => {
    const browser = await launchChromium();
    try {
      provider.person = PEOPLE.operator;
      const page = await browser.newPage();
      await page.goto(`${base}/queue`);
      expect(await axeViolations(page)).toEqual([]);
      await page.click(`text=Log in with ${host}`);
      await page.waitForURL(`${base}/queue`);
      await page.waitForSelector('.shell');
      expect(await page.textContent('.who')).toContain('otto@example.org');
      await page.click('text=Log out');
      await page.waitForSelector('text=log out there too');
      expect(await axeViolations(page)).toEqual([]);
      provider.person = STRANGER;
      await page.context().clearCookies();
      await page.click(`text=Log in with ${host}`);
      await page.waitForSelector('text=You are known, and have no role here');
      expect(await axeViolations(page)).toEqual([]);
    } finally {
      await browser.close();
    }
  });

  it('by key goes on while the provider is gone', async () => {
    const begun = await comeBack(PEOPLE.admin);
    await provider.stop();
    expect(await refusal(await get(begun.path, begun.cookie))).toEqual([503, 'login_provider_unavailable']);
    expect((await send(base, '/login', { key: OPERATOR_KEY })).status).toBe(303);
  });
});
