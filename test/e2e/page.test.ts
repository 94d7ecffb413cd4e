import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { launchChromium, whyWithoutChromium } from '../support/chromium.ts';
import { FakeDemos, challengeRequired } from '../support/fake-demos.ts';
import { eventually } from '../support/eventually.ts';
import { startHttp, type RunningServer } from '../support/http-server.ts';
import { template } from '../support/templates.ts';

/** A path of an app whose visitors sign in on another site. */
const SIGNS_IN_ELSEWHERE = '/elsewhere';
const TTL = { defaultMs: 1_800_000, maxMs: 3_600_000 };
const HELLO = template({ name: 'hello', title: 'Hello <b>notes</b>', description: 'A board & more.', ttl: TTL });
const OTHER = template({ name: 'other', title: 'Other', ttl: TTL, frame: 'auto' });

const why = whyWithoutChromium('the pages');

describe.skipIf(why !== undefined)(why === undefined ? 'in a browser' : `in a browser (skipped: ${why})`, () => {
  let browser: Browser;
  let instances: Server;
  let http: RunningServer;
  let context: BrowserContext;
  let page: Page;

  beforeAll(async () => {
    browser = await launchChromium();
    instances = createServer((request, response) => {
      if (request.url === SIGNS_IN_ELSEWHERE)
        response.writeHead(302, { location: `http://127.0.0.1:${request.socket.localPort ?? 0}/sign-in` }).end();
      else
        response
          .setHeader('content-type', 'text/html')
          .end(`<title>instance</title><h1>${request.headers.host ?? ''}</h1>`);
    });
    await new Promise<void>((resolve) => instances.listen(0, '127.0.0.1', resolve));
  });
  afterAll(async () => {
    await browser.close();
    instances.closeAllConnections();
    await new Promise((resolve) => instances.close(resolve));
  });

  beforeEach(async () => {
    const demos = new FakeDemos([HELLO, OTHER]);
    const { port } = instances.address() as AddressInfo;
    demos.urlOf = (label) => `http://${label}.localhost:${port}/`;
    http = await startHttp({ demos });
  });
  afterEach(async () => {
    await context.close();
    await http[Symbol.asyncDispose]();
  });

  async function visit(options: BrowserContextOptions = {}): Promise<void> {
    context = await browser.newContext({ viewport: { width: 390, height: 844 }, ...options });
    page = await context.newPage();
    await page.goto(http.url);
  }

  const tryButton = () => page.getByRole('button', { name: /^Try it now: Hello/ });
  const assigned = () => [...http.demos.instances.values()].filter(({ state }) => state === 'assigned');
  const onInstance = () => page.waitForURL((url) => url.hostname.endsWith('.localhost'));

  /** What the policy blocked or a script threw; a page that works has none. */
  function complaints(): string[] {
    const seen: string[] = [];
    page.on('console', (message) => {
      if (message.type() === 'error') seen.push(message.text());
    });
    page.on('pageerror', (error) => seen.push(error.message));
    return seen;
  }

  describe.each([
    { name: 'with JavaScript', javaScriptEnabled: true },
    { name: 'without JavaScript', javaScriptEnabled: false },
  ])('the page, $name', ({ javaScriptEnabled }) => {
    it('shows the templates as they are named and goes to a running instance on a click', async () => {
      await visit({ javaScriptEnabled });
      const wrong = complaints();
      await page.reload();
      expect(await page.getByRole('heading', { level: 2 }).allTextContents()).toEqual(['Hello <b>notes</b>', 'Other']);
      await tryButton().click();
      await onInstance();
      expect(await page.title()).toBe('instance');
      expect(new URL(page.url()).hostname).toBe(`${assigned()[0]?.label ?? ''}.localhost`);
      expect(wrong).toEqual([]);
    });

    it('gives a double click one instance', async () => {
      await visit({ javaScriptEnabled });
      await tryButton().dblclick();
      // The second click breaks off what the first began to load, so no one navigation is waited for.
      await eventually(() => expect(new URL(page.url()).hostname).toMatch(/\.localhost$/));
      expect(assigned()).toHaveLength(1);
    });

    it('goes on to where the app sends its visitors, be it another site, and comes back with one step', async () => {
      const { port } = instances.address() as AddressInfo;
      http.demos.urlOf = (label) => `http://${label}.localhost:${port}${SIGNS_IN_ELSEWHERE}`;
      for (const ready of [1, 0]) {
        http.demos.ready.set('hello', ready);
        if (ready === 1) await visit({ javaScriptEnabled });
        else await page.getByRole('button', { name: /^End it: your copy of Hello/ }).click();
        const wrong = complaints();
        await tryButton().click();
        http.demos.ready.set('hello', 1);
        await page.waitForURL(`http://127.0.0.1:${port}/sign-in`);
        expect(wrong).toEqual([]);
        await page.goBack();
        await page.getByText(/^Yours · /).waitFor();
      }
    });

    it('waits on its own when the pool is empty and goes on when an instance is ready', async () => {
      http.demos.ready.set('hello', 0);
      await visit({ javaScriptEnabled });
      const wrong = complaints();
      await tryButton().click();
      await page.getByRole('heading', { name: 'Preparing your Hello <b>notes</b>' }).waitFor();
      await page.getByText('You are next').waitFor();
      const looks = (): number => http.demos.count('places') + http.demos.count('acquireOrWait');
      const looked = looks();
      await eventually(() => {
        expect(looks()).toBeGreaterThan(looked);
      });
      http.demos.ready.set('hello', 1);
      await onInstance();
      expect(assigned()).toHaveLength(1);
      expect(wrong).toEqual([]);
    });

    it('proves work by itself at the gate, or says why it cannot', async () => {
      await visit({ javaScriptEnabled });
      const wrong = complaints();
      http.demos.failure = challengeRequired();
      await tryButton().click();
      await page.getByRole('heading', { name: 'Your browser works something out' }).waitFor();
      if (javaScriptEnabled) {
        // Until it is let through, it comes back to this page and goes on.
        http.demos.failure = undefined;
        await onInstance();
        const { solution = '' } = (http.demos.calls.at(-1)?.argument ?? {}) as { solution?: string };
        expect(JSON.parse(atob(solution))).toMatchObject({ number: 7 });
      } else {
        // Texts in there are not found as others are.
        const note = page.locator('noscript .note');
        expect(await note.innerText()).toMatch(/^That needs JavaScript, which does not run here\. Allow it/);
        await page.getByRole('link', { name: 'Back to the start' }).click();
        await page.waitForURL(`${http.url}/`);
        http.demos.failure = undefined;
        await tryButton().click();
        await onInstance();
      }
      expect(assigned()).toHaveLength(1);
      expect(wrong.filter((text) => !text.includes('403'))).toEqual([]);
    });

    it("shows the visitor's own instance, keeps it longer, ends it and then gives a new one", async () => {
      await visit({ javaScriptEnabled });
      await tryButton().click();
      await onInstance();
      await page.goto(http.url);
      await page.getByText('Yours · 30 min left').waitFor();
      expect(await page.getByRole('link', { name: /^Open yours: Hello/ }).getAttribute('href')).toBe(
        http.demos.url(assigned()[0]?.label ?? ''),
      );
      const first = assigned()[0]?.id;

      await page.getByRole('button', { name: /^\+15 min for your copy of Hello/ }).click();
      await page.getByText('Yours · 45 min left').waitFor();
      await page.getByRole('button', { name: /^\+15 min for your copy of Hello/ }).click();
      await page.getByText('Yours · 1 hr left').waitFor();
      await page.getByRole('button', { name: /^\+15 min for your copy of Hello/ }).click();
      await page.getByText('cannot be kept any longer').waitFor();

      await page.getByRole('button', { name: /^End it: your copy of Hello/ }).click();
      await page.getByText('Everything in that copy is gone').waitFor();
      expect(assigned()).toEqual([]);
      await tryButton().click();
      await onInstance();
      expect(assigned()[0]?.id).not.toBe(first);
    });
  });

  describe('the page', () => {
    it('gives back what comes after its visitor has stopped waiting', async () => {
      const { demos } = http;
      demos.ready.set('hello', 0);
      await visit();
      await tryButton().click();
      await page.getByText('You are next').waitFor();
      const acquire = demos.acquireOrWait.bind(demos);
      let answerIt: (() => void) | undefined;
      demos.acquireOrWait = async (request) => {
        const answer = await acquire(request);
        await new Promise<void>((resolve) => (answerIt = resolve));
        return answer;
      };
      demos.ready.set('hello', 1);
      await eventually(() => expect(answerIt).toBeDefined());
      await page.getByRole('button', { name: 'Stop waiting' }).click();
      answerIt?.();
      await page.getByText('Ended. Everything in that copy is gone.').waitFor();
      expect(assigned()).toEqual([]);
    });

    it('leaves the place in the line, and what comes for it, to another tab that waits with it', async () => {
      const { demos } = http;
      demos.ready.set('hello', 0);
      await visit();
      await tryButton().click();
      await page.getByText('You are next').waitFor();
      const other = await context.newPage();
      const stop = async () => {
        await other.getByRole('button', { name: 'Stop waiting' }).click();
        await other.waitForURL(`${http.url}/`);
      };
      await other.goto(`${http.url}/wait/hello`);
      await other.getByText('You are next').waitFor();
      demos.waiting.get('hello')?.push('somebody');
      await stop();
      expect([demos.count('leave'), demos.waiting.get('hello')?.indexOf('somebody')]).toEqual([0, 1]);
      let taken = false;
      // Its answer never comes.
      await other.route('**/try/hello', async (route) => {
        demos.ready.set('hello', 1);
        await route.fetch();
        taken = true;
      });
      await other.goto(`${http.url}/wait/hello`);
      await eventually(() => expect(taken).toBe(true));
      await stop();
      await onInstance();
      expect([demos.count('release'), assigned().length]).toEqual([0, 1]);
    });

    it('tells once what became of a click, and not again when it is shown again', async () => {
      await visit();
      await tryButton().click();
      await onInstance();
      await page.goto(http.url);
      await page.getByRole('button', { name: /^End it: your copy of Hello/ }).click();
      const told = page.getByText('Everything in that copy is gone');
      await told.waitFor();
      await tryButton().click();
      await onInstance();
      await page.goBack();
      await page.getByText(/^Yours · /).waitFor();
      expect(await told.count()).toBe(0);
    });

    it('has no button that does nothing where scripts do not run', async () => {
      await visit({ javaScriptEnabled: false });
      await page.goto(`${http.url}/embed`);
      await page.getByRole('heading', { name: 'Put it on your own site' }).waitFor();
      expect(await page.getByRole('button').count()).toBe(0);
    });

    it('holds no place for a page that its browser keeps out of sight', async () => {
      http.demos.ready.set('hello', 0);
      await visit();
      await tryButton().click();
      await page.getByText('You are next').waitFor();
      const held = async (count: number) => {
        await eventually(async () =>
          expect(await page.evaluate('navigator.locks.query().then(({ held }) => held.length)')).toBe(count),
        );
      };
      await held(1);
      await page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))");
      await held(0);
    });

    it('takes another click some time after one that led nowhere', async () => {
      await visit();
      await page.clock.install();
      let asked = 0;
      // The page stays, as where the browser was stopped.
      await page.route('**/try/hello', (route) => {
        asked += 1;
        return route.fulfill({ status: 204 });
      });
      for (const times of [1, 2]) {
        await tryButton().click();
        await page.getByText('Starting…').waitFor();
        await eventually(() => expect(asked).toBe(times));
        await page.clock.fastForward(10_000);
        await page.getByText('Starting…').waitFor({ state: 'hidden' });
      }
    });

    it('gives one instance to a double click of a browser that keeps no cookies', async () => {
      await visit();
      const form = { visitor: await page.locator('form[action="/try/hello"] input[name=visitor]').inputValue() };
      await context.clearCookies();
      const answers = await Promise.all(
        [0, 1].map(() =>
          context.request.post(`${http.url}/try/hello`, { form, maxRedirects: 0, headers: { accept: 'text/html' } }),
        ),
      );
      expect(answers.map((answer) => answer.status())).toEqual([200, 200]);
      const [url = ''] = assigned().map(({ label }) => http.demos.url(label));
      for (const answer of answers) expect(await answer.text()).toContain(`content="0; url=${url}"`);
      expect(assigned()).toHaveLength(1);
    });

    it('fetches ahead what the click will need, once somebody points at a button or focuses it', async () => {
      let connections = 0;
      const target = createServer((_request, response) => {
        connections += 1;
        response.writeHead(204).end();
      });
      await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
      const connectUrl = `http://connect.localhost:${(target.address() as AddressInfo).port}/`;
      const { demos } = http;
      await http[Symbol.asyncDispose]();
      http = await startHttp({ demos, page: { connectUrl } });
      try {
        for (const intend of [() => tryButton().hover(), () => tryButton().focus()]) {
          await visit();
          const wrong = complaints();
          const asked: string[] = [];
          page.on('request', (request) => {
            const file = /visit\.[0-9a-f]{12}\.(\w+)$/.exec(request.url())?.[1];
            if (file !== undefined) asked.push(file);
          });
          const before = connections;
          // As a script of somebody's would: no sign of a visitor.
          await page.evaluate('document.querySelector("[data-try] button").dispatchEvent(new Event("pointerenter"))');
          expect([asked, connections]).toEqual([[], before]);
          await intend();
          await eventually(() => expect(connections).toBe(before + 1));
          await eventually(() => expect(asked.sort()).toEqual(['css', 'js']));
          await tryButton().click();
          await onInstance();
          expect([connections, wrong]).toEqual([before + 1, []]);
          await context.close();
        }
      } finally {
        target.closeAllConnections();
        await new Promise((resolve) => target.close(resolve));
      }
    });

    it('comes anew once it is so old that its browser may have been forgotten', async () => {
      await visit();
      await page.clock.install();
      await page.reload();
      await context.clearCookies();
      await page.clock.fastForward(11 * 3_600_000);
      expect(await context.cookies()).toEqual([]);
      await page.clock.fastForward(2 * 3_600_000);
      await eventually(async () => expect(await context.cookies()).toHaveLength(1));
    });

    it('counts down by itself and forgets what has ended', async () => {
      await visit();
      await tryButton().click();
      await onInstance();
      http.demos.nowMs += TTL.defaultMs - 59_000;
      await page.goto(http.url);
      const left = async () =>
        Number(/(\d+) sec/.exec(await page.getByText(/^Yours · \d+ sec left$/).innerText())?.[1]);
      const first = await left();
      await eventually(async () => expect(await left()).toBeLessThan(first));
      http.demos.nowMs += 56_500;
      await page.goto(http.url);
      http.demos.nowMs += 2_500;
      await tryButton().waitFor();
    });

    it('gives up politely and takes another try', async () => {
      await http[Symbol.asyncDispose]();
      const { demos } = http;
      const clock = { now: () => Date.now() + skipMs };
      let skipMs = 0;
      demos.ready.set('hello', 0);
      http = await startHttp({ demos, page: { clock, waitLimitMs: 180_000 } });
      await visit();
      await tryButton().click();
      await page.getByRole('heading', { name: /^Preparing/ }).waitFor();
      skipMs = 181_000;
      demos.waitedMs = skipMs;
      await page.getByRole('heading', { name: 'This takes longer than it should' }).waitFor();
      demos.ready.set('hello', 1);
      await page.getByRole('button', { name: 'Try again' }).click();
      await onInstance();
    });

    it.each([
      { width: 390, height: 844 },
      { width: 1_280, height: 800 },
    ])('fits a screen of $width x $height without scrolling sideways', async (viewport) => {
      await visit({ viewport });
      expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBe(viewport.width);
      const buttons = await page.getByRole('button').all();
      expect(buttons).toHaveLength(2);
      // 44 CSS pixels: what a thumb hits (WCAG 2.5.5).
      for (const button of buttons) expect((await button.boundingBox())?.height).toBeGreaterThanOrEqual(44);
    });
  });
});
