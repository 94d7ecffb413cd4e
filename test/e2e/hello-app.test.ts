import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Log } from '../../src/domain/log.ts';
import { Releasers } from '../../src/lifecycle/releasers.ts';
import { launchChromium, whyWithoutChromium } from '../support/chromium.ts';
import { eventually } from '../support/eventually.ts';
import { boardFolder, startHelloApp, type HelloApp } from '../support/hello-app.ts';

const why = whyWithoutChromium('the notes board');

describe.skipIf(why !== undefined)(
  why === undefined ? 'the notes board in a browser' : `the notes board in a browser (skipped: ${why})`,
  () => {
    let browser: Browser;
    let app: HelloApp;
    let releasers: Releasers;
    let complaints: string[];
    /** What the browser has every reason to complain of in this test. */
    let justified: RegExp | undefined;
    const log: Log = {
      debug: () => undefined,
      info: () => undefined,
      warn: () => undefined,
      error: (fields, message) => complaints.push(`${message}: ${JSON.stringify(fields)}`),
      child: () => log,
    };

    beforeAll(async () => {
      browser = await launchChromium();
    });
    afterAll(() => browser.close());

    beforeEach(async () => {
      releasers = new Releasers();
      complaints = [];
      justified = undefined;
      app = await start();
    });
    afterEach(async () => {
      await releasers.releaseAll(log);
      expect(complaints.filter((each) => !justified?.test(each))).toEqual([]);
    });

    async function start(): Promise<HelloApp> {
      const folder = await boardFolder();
      releasers.push('folder', () => folder[Symbol.asyncDispose]());
      const started = await startHelloApp({ dataDir: folder.path });
      releasers.push('app', () => started[Symbol.asyncDispose]());
      return started;
    }

    /**
     * A window of the board, once it follows live. What the browser complains of and what it asks
     * other hosts for is kept.
     */
    async function open(board: HelloApp, options: BrowserContextOptions = {}): Promise<Page> {
      const context = await browser.newContext(options);
      releasers.push('window', () => context.close());
      const page = await context.newPage();
      page.on('pageerror', (error) => complaints.push(String(error)));
      page.on('console', (message) => {
        if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
      });
      page.on('request', (request) => {
        if (!request.url().startsWith(board.url)) complaints.push(`asked for ${request.url()}`);
      });
      await page.goto(board.url);
      await page.locator('#live[data-state=open]').waitFor();
      return page;
    }

    const texts = (page: Page): Promise<string[]> =>
      page
        .getByRole('textbox', { name: 'Text of the note' })
        .evaluateAll((boxes: { readonly value?: string }[]) => boxes.map(({ value }) => value ?? ''));

    function noteWith(page: Page, text: string): Locator {
      return page.getByRole('listitem').filter({ has: page.getByRole('button', { name: `Move the note “${text}` }) });
    }

    /** Notes lie a little crooked until they are touched; their middle stays where it is, once they have arrived. */
    async function middle(note: Locator): Promise<{ readonly x: number; readonly y: number }> {
      await note.evaluate(async (element: { getAnimations(): readonly { readonly finished: Promise<unknown> }[] }) => {
        await Promise.allSettled(element.getAnimations().map(({ finished }) => finished));
      });
      const box = await note.boundingBox();
      if (box === null) throw new Error('the note is not to be seen');
      return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
    }

    async function write(page: Page, text: string): Promise<Locator> {
      await page.getByRole('button', { name: 'Add a note' }).click();
      await page.keyboard.type(text);
      await eventually(async () => {
        expect((await app.board()).notes.map((note) => note.text)).toContain(text);
      });
      return noteWith(page, text);
    }

    const stored = async (
      text: string,
    ): Promise<{ readonly color: string; readonly x: number; readonly y: number }> => {
      const note = (await app.board()).notes.find((each) => each.text === text);
      if (note === undefined) throw new Error(`no note ${text}`);
      return note;
    };

    it('says whose board it is, and another visitor has another one', async () => {
      const other = await start();
      const { name, container } = await app.board();
      const page = await open(app);
      expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe(name);
      expect(await page.locator('.yours').innerText()).toMatch(
        new RegExp(`This board is yours alone: container ${container}, running since .+, nobody else can see it`),
      );
      await write(page, 'only mine');

      const stranger = await open(other);
      await eventually(async () => expect(await texts(stranger)).toHaveLength(3));
      expect(await texts(stranger)).not.toContain('only mine');
    });

    it('shows its new name in a window that was open when it was handed over', async () => {
      const page = await open(app);
      await app.activate({ seed: 'a5'.repeat(32) });
      const { name } = await app.board();
      await page.getByRole('heading', { level: 1, name }).waitFor();
      await eventually(async () => {
        expect(await page.title()).toBe(`${name} · your notes board`);
        expect(await texts(page)).toHaveLength(3);
      });
    });

    it('keeps what was written, coloured and moved when the page is loaded again', async () => {
      const page = await open(app);
      const note = await write(page, 'milk & <b>bread</b>');
      await note.getByRole('button', { name: 'Green' }).click();
      const before = await stored('milk & <b>bread</b>');
      const grip = note.getByRole('button', { name: 'Move the note' });
      await grip.focus();
      const toTheRight = before.x < 0.5;
      for (let press = 0; press < 3; press += 1) await page.keyboard.press(toTheRight ? 'ArrowRight' : 'ArrowLeft');
      await eventually(async () => {
        const now = await stored('milk & <b>bread</b>');
        expect(now.color).toBe('mint');
        expect(now.x).toBeCloseTo(before.x + (toTheRight ? 0.06 : -0.06), 3);
      });
      const place = await middle(note);
      await page.reload();
      await eventually(async () => expect(await texts(page)).toContain('milk & <b>bread</b>'));
      await eventually(async () => {
        expect((await middle(noteWith(page, 'milk'))).x).toBeCloseTo(place.x, 0);
      });
    });

    it('follows in a second window: windows are counted, notes appear, move, go and come back by Undo', async () => {
      const one = await open(app);
      const two = await open(app);
      await one.getByText('2 windows open').waitFor();
      await write(one, 'see me there');
      await noteWith(two, 'see me there').waitFor();

      const note = noteWith(one, 'see me there');
      const from = await middle(note);
      // Back from the text to the note as a whole: in its text the mouse would select letters.
      await one.keyboard.press('Escape');
      await one.mouse.move(from.x, from.y);
      await one.mouse.down();
      await one.mouse.move(from.x + 10, from.y + 5);
      const target = { x: from.x < 640 ? from.x + 150 : from.x - 150, y: 400 };
      await one.mouse.move(target.x, target.y, { steps: 5 });
      await one.mouse.up();
      await eventually(async () => {
        for (const page of [one, two]) {
          const { x, y } = await middle(noteWith(page, 'see me there'));
          expect(x).toBeCloseTo(target.x, 0);
          expect(y).toBeCloseTo(target.y, 0);
        }
      });

      await note.getByRole('button', { name: 'Delete note' }).click();
      await noteWith(two, 'see me there').waitFor({ state: 'detached' });
      await one.getByRole('button', { name: 'Undo' }).click();
      await noteWith(two, 'see me there').waitFor();

      await two.close();
      await one.getByText('1 window open').waitFor();
    });

    it('is dragged with a finger on a phone, and fits its screen', async () => {
      const page = await open(app, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
      const start = (await app.board()).notes[0];
      const box = await page.getByRole('listitem').first().boundingBox();
      if (box === null || start === undefined) throw new Error('no first note');
      const touch = await page.context().newCDPSession(page);
      const at = (x: number, y: number): { touchPoints: { x: number; y: number }[] } => ({ touchPoints: [{ x, y }] });
      await touch.send('Input.dispatchTouchEvent', { type: 'touchStart', ...at(box.x + 60, box.y + 80) });
      await touch.send('Input.dispatchTouchEvent', { type: 'touchMove', ...at(box.x + 100, box.y + 120) });
      await touch.send('Input.dispatchTouchEvent', { type: 'touchMove', ...at(box.x + 140, box.y + 200) });
      await touch.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
      await eventually(async () => {
        const now = (await app.board()).notes.find(({ id }) => id === start.id);
        expect(now?.x).toBeGreaterThan(start.x + 0.2);
        expect(now?.y).toBeGreaterThan(start.y + 0.1);
      });
    });

    it('finds an idea in spite of a typing error and puts it on the board', async () => {
      const page = await open(app);
      await page.getByRole('button', { name: 'Ideas', exact: true }).click();
      await page.getByRole('searchbox', { name: 'Search ideas' }).fill('lighthosue');
      // The ideas offered at first may be about a lighthouse too, and are replaced by those found.
      await page.getByText(/ideas? found$/).waitFor();
      const idea = page.locator('.idea').filter({ hasText: 'lighthouse' }).first();
      await idea.waitFor();
      const text = await idea.innerText();
      await idea.click();
      await eventually(async () => {
        expect((await app.board()).notes.map((note) => note.text)).toContain(text);
      });
      await eventually(async () => expect(await texts(page)).toContain(text));
    });

    it('says so when the board is gone', async () => {
      justified = /ERR_(CONNECTION_REFUSED|INCOMPLETE_CHUNKED_ENCODING|CONNECTION_RESET)/;
      const page = await open(app);
      await app.server.stop();
      await page.getByText('Not connected').waitFor();
    });
  },
);
