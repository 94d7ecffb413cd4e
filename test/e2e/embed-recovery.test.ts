import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newHostLabel } from '../../src/domain/ids.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { keys } from '../../src/store/keys.ts';
import { newPageWithoutForeignCookies, whyWithoutChromium } from '../support/chromium.ts';
import { EmbeddingSite } from '../support/embedding-site.ts';
import { eventually } from '../support/eventually.ts';

const why = whyWithoutChromium('embedded visits');

describe.skipIf(why !== undefined)(`embedded visits${why === undefined ? '' : ` (skipped: ${why})`}`, () => {
  const site = new EmbeddingSite();
  const { start, instance, bar, inApp, events, click, open } = site;
  beforeAll(() => site.begin());
  afterAll(() => site.end());
  beforeEach(() => site.serve());
  afterEach(() => site.leave());

  it('finds in another tab of the site what its browser has', async () => {
    await open();
    await click();
    await inApp().getByRole('heading').waitFor();
    await site.page.close();
    site.page = await newPageWithoutForeignCookies(site.context);
    await site.page.goto(site.url);
    await click();
    await inApp().getByRole('heading').waitFor();
    expect(site.http.demos.instances.size).toBe(1);
    // A visit cannot last for so long.
    await site.page.clock.install({ time: Date.now() + 31 * 86_400_000 });
    await site.page.reload();
    await click();
    await inApp().getByRole('heading').waitFor();
    expect(site.http.demos.instances.size).toBe(2);
  });

  const another = async () => {
    const tab = await newPageWithoutForeignCookies(site.context);
    await tab.goto(site.url);
    return tab;
  };
  const stop = async (tab: Page) => {
    await tab.getByRole('button', { name: 'Stop waiting' }).click();
    await tab.locator('dialog').waitFor({ state: 'detached' });
  };

  /** With nobody before them. */
  const waiting = async () => {
    const { demos } = site.http;
    demos.ready.set('shop', 0);
    await open();
    await click();
    await site.page.getByText('You are next').waitFor();
    return demos;
  };

  it('keeps the place in the line while another tab waits with it', async () => {
    const demos = await waiting();
    const other = await another();
    const wait = async () => {
      await other.getByRole('button', { name: 'Try it now' }).click();
      await other.getByText('You are next').waitFor();
    };
    await wait();
    demos.waiting.get('shop')?.push('somebody');
    await stop(other);
    await wait();
    await stop(site.page);
    await click();
    await site.page.getByText('You are next').waitFor();
    expect([demos.count('leave'), demos.waiting.get('shop')?.indexOf('somebody')]).toEqual([0, 1]);
    await stop(other);
    await stop(site.page);
    await eventually(() => expect(demos.waiting.get('shop')).toEqual(['somebody']));
  });

  it('holds nothing for a page that its browser keeps out of sight, until it comes back', async () => {
    await waiting();
    const turn = (event: string) =>
      site.page.evaluate(`dispatchEvent(new PageTransitionEvent('${event}', { persisted: true }))`);
    const held = async (count: number) => {
      await eventually(async () =>
        expect(await site.page.evaluate('navigator.locks.query().then(({ held }) => held.length)')).toBe(count),
      );
    };
    await held(1);
    await turn('pagehide');
    await held(0);
    await turn('pageshow');
    await held(1);
    await stop(site.page);
    await held(0);
  });

  it('leaves what comes after its visitor has stopped waiting to the tab that waits still', async () => {
    const demos = await waiting();
    const other = await another();
    const acquire = demos.acquireOrWait.bind(demos);
    let answerIt: (() => void) | undefined;
    demos.acquireOrWait = async (request) => {
      if (demos.instances.size > 0) return acquire(request);
      demos.ready.set('shop', 1);
      const answer = await acquire(request);
      await new Promise<void>((resolve) => (answerIt = resolve));
      return answer;
    };
    await other.getByRole('button', { name: 'Try it now' }).click();
    await eventually(() => expect(answerIt).toBeDefined());
    const late = other.waitForResponse(/\/embed\/shop/);
    await stop(other);
    answerIt?.();
    await (await late).finished();
    await inApp().getByRole('heading').waitFor();
    await other.getByRole('button', { name: 'Try it now' }).click();
    await other.frameLocator('iframe').frameLocator('iframe').getByRole('heading').waitFor();
    expect([demos.count('release'), demos.instances.size]).toEqual([0, 1]);
  });

  it('keeps nothing in its browser before the first click', async () => {
    await open();
    await site.page.getByRole('button').waitFor();
    expect(await site.page.evaluate('localStorage.length + sessionStorage.length')).toBe(0);
  });

  it.each([
    { denied: ['localStorage'], instances: 1 },
    { denied: ['localStorage', 'sessionStorage'], instances: 2 },
  ])('works where the browser keeps nothing in $denied', async ({ denied, instances }) => {
    await open();
    for (const name of denied)
      await site.context.addInitScript(
        `Object.defineProperty(window, '${name}', { get() { throw new Error('denied'); } })`,
      );
    for (let visits = 0; visits < 2; visits += 1) {
      await site.page.reload();
      await click();
      await inApp().getByRole('heading').waitFor();
    }
    expect(site.http.demos.instances.size).toBe(instances);
  });

  /** The page in the frame, and not what the component asks of the visit. */
  const FRAME = /\/visit\/[^/]+\?/;

  it('asks again for a visit whose page did not come, once it is opened again', async () => {
    await open();
    await site.page.route(FRAME, (route) => route.abort());
    await click();
    await eventually(async () => expect((await events()).length).toBe(1));
    await site.page.unroute(FRAME);
    await site.page.getByRole('button', { name: 'Close' }).click();
    await site.page.getByRole('button', { name: 'Open yours' }).click();
    await inApp().getByRole('heading').waitFor();
  });

  it('tells the end of a visit whose page did not come, and offers it again in the page', async () => {
    await open('template="shop" mode="inline"');
    await site.page.clock.install();
    await site.page.route(FRAME, (route) => route.abort());
    await click();
    await eventually(async () => expect((await events()).length).toBe(1));
    await site.page.clock.fastForward(10_000);
    await site.page.getByRole('button', { name: 'Open yours' }).click();
    await site.http.demos.release(instance()?.id ?? '');
    await site.page.clock.fastForward(10_000);
    await site.page.getByText('This copy has ended').waitFor();
    expect((await events()).map(([name]) => name)).toEqual(['ready', 'ended']);
  });

  it('announces the end of a visit of a month when that comes', async () => {
    const { demos } = site.http;
    const acquire = demos.acquireOrWait.bind(demos);
    demos.acquireOrWait = async (request) => ({ ...(await acquire(request)), ttlMs: 30 * 86_400_000 });
    await open();
    await click();
    await inApp().getByRole('heading').waitFor();
    await eventually(async () => expect((await events()).length).toBeGreaterThan(0));
    expect((await events()).map(([name]) => name)).toEqual(['ready']);
  });

  it('leaves the look at the visit to a page that tells', async () => {
    await open();
    await site.page.clock.install();
    const asked: string[] = [];
    site.page.on('request', (request) => {
      if (request.url().endsWith('/state') && request.frame() === site.page.mainFrame()) asked.push(request.url());
    });
    await click();
    await inApp().getByRole('heading').waitFor();
    await site.page.clock.fastForward(100_000);
    await eventually(async () => expect(await bar().getByRole('button', { name: 'Share' }).count()).toBe(1));
    expect(asked).toEqual([]);
  });

  it('gets another copy in the same place for one whose host is gone', async () => {
    const lost = { label: newHostLabel(), port: await freePort() };
    await site.world.names.addNode('node1');
    await site.world.names.publish(lost.label, lost.port, 'node1');
    await site.world.names.valkey.hset(keys.lostNodes, 'node1', '1');
    await eventually(async () => expect(await site.world.discovery.isLive(lost.label)).toBe('lost'));
    const { demos } = site.http;
    demos.newLabel = () => (demos.instances.size === 0 ? lost.label : site.upstream.label);
    await open();
    await click();
    const another = inApp().getByRole('link', { name: 'Get a new copy' });
    await another.waitFor();
    const [first = ''] = demos.instances.keys();
    const acquire = demos.acquireOrWait.bind(demos);
    // As the pool does once it finds that the one its visitor has is lost.
    demos.acquireOrWait = async (request) => {
      await demos.release(first);
      return acquire(request);
    };
    // What else leads to our pages opens in a tab.
    const [tab] = await Promise.all([
      site.context.waitForEvent('page'),
      inApp().getByRole('link', { name: 'Try It Now' }).click(),
    ]);
    await tab.waitForURL(`${start()}/`);
    await tab.close();
    await another.click();
    await inApp().getByRole('heading', { name: 'at /' }).waitFor();
    expect(demos.instances.size).toBe(2);
    expect(site.context.pages().length).toBe(1);
  });

  it('gives back what comes after its visitor has stopped waiting, unless they have it still', async () => {
    const { demos } = site.http;
    const acquire = demos.acquireOrWait.bind(demos);
    const answers: (() => void)[] = [];
    demos.acquireOrWait = async (request) => {
      const answer = await acquire(request);
      await new Promise<void>((resolve) => answers.push(resolve));
      return answer;
    };
    const clicked = async (times: number) => {
      await click();
      await eventually(() => expect(answers).toHaveLength(times));
    };
    const stopped = async (times: number) => {
      await clicked(times);
      await site.page.getByRole('button', { name: 'Stop waiting' }).click();
      // Out of the page, which it is a moment after it is out of sight: what comes before is still theirs.
      await site.page.locator('dialog').waitFor({ state: 'detached' });
    };
    await open();
    await stopped(1);
    answers[0]?.();
    await eventually(() => expect(instance()?.state).toBe('releasing'));
    // Back for it before it has come.
    await stopped(2);
    await clicked(3);
    answers[1]?.();
    answers[2]?.();
    await inApp().getByRole('heading').waitFor();
    // Theirs before they clicked.
    await site.page.reload();
    await stopped(4);
    const late = site.page.waitForResponse(/\/embed\/shop/);
    answers[3]?.();
    await (await late).finished();
    await clicked(5);
    answers[4]?.();
    await inApp().getByRole('heading').waitFor();
    expect([demos.count('release'), demos.instances.size]).toEqual([1, 2]);
  });
});
