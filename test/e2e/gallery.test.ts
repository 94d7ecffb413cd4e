import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpointContext } from '../../src/composition/checkpoint-context.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { Template } from '../../src/domain/template.ts';
import { launchMariadb } from '../../src/launcher/mariadb.ts';
import { launchPostgres } from '../../src/launcher/postgresql.ts';
import { createCheckpoint, promoteCheckpoint } from '../../src/pool/checkpoints.ts';
import { launchChromium, whyWithoutChromium } from '../support/chromium.ts';
import { launchEngine, titleFor, whyWithout } from '../support/container-engine.ts';
import { Cleanups } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { silent } from '../support/store.ts';

const PATIENT = { timeoutMs: 90_000 };
const PAGE_MS = 60_000;
const never = new AbortController().signal;
const run = promisify(execFile);
const fileOf = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** What a visitor does in an app: logs in and leaves a mark. */
interface Visit {
  /** Of an app that has the browser ask for the login. */
  readonly httpCredentials?: BrowserContextOptions['httpCredentials'];
  readonly logIn: (page: Page, url: string) => Promise<void>;
  readonly change: (page: Page, mark: string) => Promise<void>;
  /** What of this visitor's doing is to be seen there, loaded again. */
  readonly marks: (page: Page, url: string) => Promise<string>;
  /** Of an app whose activation signs its visitor in. */
  readonly firstStep?: {
    /** Where a link has them land. */
    readonly open: string;
    /** In the address that signs them in. */
    readonly secret: RegExp;
    /** What only who is signed in gets to see. */
    readonly signedIn: string;
  };
}

const VISITS: Readonly<Record<string, Visit>> = {
  'node-red': {
    async logIn(page, url) {
      await page.goto(url);
      await page.fill('#node-dialog-login-username', 'demo');
      await page.fill('#node-dialog-login-password', 'demo');
      await page.click('#node-dialog-login-submit');
      await page.waitForSelector('#red-ui-workspace-chart');
    },
    async change(page, mark) {
      // As its own import dialog and Deploy button do, with the token of this login.
      expect(
        await page.evaluate(`(async () => {
          const kept = Object.entries(localStorage).find(([key]) => key.startsWith('auth-tokens'))[1];
          const headers = {
            authorization: 'Bearer ' + JSON.parse(kept).access_token,
            'content-type': 'application/json',
          };
          const flows = await (await fetch('flows', { headers })).json();
          const changed = flows.map((node) => node.type === 'template' ? { ...node, template: '${mark}' } : node);
          return (await fetch('flows', { method: 'POST', headers, body: JSON.stringify(changed) })).status;
        })()`),
      ).toBe(204);
    },
    async marks(page, url) {
      await page.goto(`${url}hello`);
      return page.innerText('body');
    },
  },
  dokuwiki: {
    async logIn(page, url) {
      await page.goto(`${url}doku.php?do=login`);
      await page.fill('input[name=u]', 'demo');
      await page.fill('input[name=p]', 'demo');
      await page.click('#dw__login button[type=submit]');
      await page.waitForSelector('.action.logout');
    },
    async change(page, mark) {
      await page.goto(new URL('/doku.php?id=start&do=edit', page.url()).href);
      await page.fill('#wiki__text', mark);
      await page.click('#edbtn__save');
      await page.locator('#dokuwiki__content p', { hasText: mark }).waitFor();
    },
    async marks(page, url) {
      await page.goto(`${url}doku.php?id=start`);
      return page.innerText('#dokuwiki__content');
    },
    firstStep: { open: '/doku.php?id=start&do=edit', secret: /[?&]firststep=/, signedIn: '.action.logout' },
  },
  jupyter: {
    async logIn(page, url) {
      await page.goto(`${url}login`);
      await page.fill('#password_input', 'demo');
      await page.click('#login_submit');
      await page.waitForSelector('#notebook_list');
    },
    async change(page, mark) {
      await page.goto(new URL('/tree', page.url()).href);
      await page.click('#new-buttons > button');
      await page.click('#new-folder a');
      const folder = page.locator('#notebook_list .list_item', { hasText: 'Untitled Folder' });
      await folder.locator('input[type=checkbox]').check();
      await page.click('.rename-button');
      await page.fill('.modal-dialog input', mark);
      await page.click('.modal-dialog .btn-primary');
      await page.locator('#notebook_list .list_item', { hasText: mark }).waitFor();
    },
    async marks(page, url) {
      await page.goto(`${url}tree`);
      await page.locator('#notebook_list .list_item', { hasText: 'welcome.ipynb' }).waitFor();
      return page.innerText('#notebook_list');
    },
  },
  mediawiki: {
    async logIn(page, url) {
      await page.goto(`${url}index.php/Special:UserLogin`);
      await page.fill('#wpName1', 'Demo');
      await page.fill('#wpPassword1', 'demo');
      await page.click('#wpLoginAttempt');
      await page.waitForSelector('#pt-userpage-2, #pt-userpage');
    },
    async change(page, mark) {
      await page.goto(new URL('/index.php?title=Main_Page&action=edit', page.url()).href);
      await page.fill('#wpTextbox1', mark);
      await page.click('#wpSave');
      await page.locator('#mw-content-text p', { hasText: mark }).waitFor();
    },
    async marks(page, url) {
      await page.goto(`${url}index.php/Main_Page`);
      return page.innerText('#mw-content-text');
    },
  },
  phpmyadmin: {
    async logIn(page, url) {
      await page.goto(url);
      await page.fill('#input_username', 'demo');
      await page.fill('#input_password', 'demo');
      await page.click('#input_go');
      await page.waitForSelector('#pma_navigation_tree');
    },
    async change(page, mark) {
      await page.goto(await tableOfBooks(page, '/table/sql'));
      await page.click('#sqlqueryform .CodeMirror');
      await page.keyboard.press('Control+A');
      await page.keyboard.insertText(`UPDATE book SET title = '${mark}' WHERE id = 1`);
      await page.click('#button_submit_query');
      await page.locator('.alert-success', { hasText: '1 row affected' }).waitFor();
    },
    async marks(page) {
      await page.goto(await tableOfBooks(page, '/sql'));
      return page.innerText('.table_results');
    },
  },
  adminer: {
    async logIn(page, url) {
      await page.goto(url);
      await page.fill('input[name="auth[username]"]', 'demo');
      await page.fill('input[name="auth[password]"]', 'demo');
      await page.click('input[type=submit]');
      await page.getByRole('heading', { name: 'Schema: public' }).waitFor();
    },
    async change(page, mark) {
      await page.goto(inItsDatabase(page, { edit: 'book', 'where[id]': '1' }));
      await page.fill('[name="fields[title]"]', mark);
      await page.getByRole('button', { name: 'Save', exact: true }).click();
      await page.getByText('Item has been updated.').waitFor();
    },
    async marks(page) {
      await page.goto(inItsDatabase(page, { select: 'book' }));
      return page.innerText('#table');
    },
  },
  tomcat: {
    httpCredentials: { username: 'demo', password: 'demo' },
    async logIn(page, url) {
      await page.goto(`${url}manager/html`);
      await page.getByText('Tomcat Web Application Manager').waitFor();
    },
    async change(page, mark) {
      await page.fill('input[name=deployPath]', `/${mark}`);
      await page.fill('input[name=deployWar][type=text]', '/usr/share/tomcat10-examples/examples');
      await page.press('input[name=deployWar][type=text]', 'Enter');
      await page.getByText(`OK - Deployed application at context path [/${mark}]`).waitFor();
    },
    async marks(page, url) {
      await page.goto(`${url}manager/html`);
      return page.innerText('body');
    },
  },
};

/** Its database has a name of its own in each instance. */
async function tableOfBooks(page: Page, route: string): Promise<string> {
  const link = page.locator('#pma_navigation_tree a', { hasText: /^\s*book\s*$/ });
  const address = new URL((await link.getAttribute('href')) ?? '', page.url());
  address.searchParams.set('route', route);
  return address.href;
}

function inItsDatabase(page: Page, what: Readonly<Record<string, string>>): string {
  const address = new URL(page.url());
  const db = address.searchParams.get('db') ?? '';
  address.search = new URLSearchParams({ pgsql: '', username: 'demo', db, ns: 'public', ...what }).toString();
  return address.href;
}

/**
 * Where CRIU may not read other users' limits, only an app that runs as root can be dumped; the
 * image built so is another.
 */
const AS_ROOT = ['--build-arg', 'RUN_AS=0:0', '--tag', 'criu'];

/** Each image takes up to a minute to build the first time, and each app half a minute to try. */
const asked = process.env['GALLERY'] === '1';
if (!asked) process.stdout.write('Skipped: the examples of other apps in a browser; `npm run gallery` runs them.\n');

describe.skipIf(!asked || whyWithout('podman') !== undefined || whyWithoutChromium('the gallery') !== undefined)(
  `the gallery, restored, on ${titleFor('podman')}`,
  () => {
    const cleanups = new Cleanups('the gallery');
    let stack: Stack;
    let browser: Browser;
    let databases: Readonly<Record<string, string>>;
    beforeAll(async () => {
      const folder = await mkdtemp(join(tmpdir(), 'try-it-now-gallery-'));
      cleanups.push(() => rm(folder, { recursive: true }));
      // The accounts of the database servers have to pass through.
      await chmod(folder, 0o711);
      const mariadb = await launchMariadb({ dir: join(folder, 'mariadb') });
      cleanups.push(() => mariadb[Symbol.asyncDispose]());
      const postgres = await launchPostgres({ dir: join(folder, 'postgres') });
      cleanups.push(() => postgres[Symbol.asyncDispose]());
      databases = {
        DATABASE_SOCKET: mariadb.socketPath,
        DATABASE_USER: mariadb.user,
        DATABASE_PASSWORD: mariadb.password,
        POSTGRES_SOCKET: postgres.socketPath,
        POSTGRES_USER: postgres.user,
        POSTGRES_PASSWORD: postgres.password,
      };
      const podman = await launchEngine('podman');
      cleanups.push(() => podman[Symbol.asyncDispose]());
      browser = await launchChromium();
      cleanups.push(() => browser.close());
      stack = await startStack({
        engine: 'podman',
        socketPath: podman.socketPath,
        templates: await Promise.all(Object.keys(VISITS).map(example)),
        env: { ...databases, CHECKPOINT_DIR: join(folder, 'checkpoints'), CRIU_ENABLED: 'auto' },
        reconcileIntervalMs: 1_000,
      });
      cleanups.push(() => stack[Symbol.asyncDispose]());
    });
    afterAll(() => cleanups[Symbol.asyncDispose]());

    /** As its own catalogue offers it. */
    async function example(name: string): Promise<Template> {
      await run(fileOf('scripts/build-image.sh'), [name, '--engine', 'podman', ...AS_ROOT]);
      const file = fileOf(`examples/${name}/template.yaml`);
      const [template] = loadConfig({ ...databases, TEMPLATES_FILE: file }).config.templates;
      if (template === undefined) throw new Error(`examples/${name}/template.yaml offers nothing`);
      const image = `localhost/try-it-now/${name}:criu`;
      return { ...template, image, pool: { target: 2, max: 4, replenishThreshold: 0 } };
    }

    async function restored(name: string): Promise<number> {
      const metrics = await (await fetch(`${stack.api}/metrics`)).text();
      expect(metrics).not.toMatch(new RegExp(`template="${name}",method="criu_restore",status="failure"\\} [1-9]`));
      const line = `^try_it_now_provisions_total\\{template="${name}",method="criu_restore",status="success"\\} (\\d+)`;
      return Number(new RegExp(line, 'm').exec(metrics)?.[1] ?? 0);
    }

    async function acquire(name: string): Promise<{ readonly id: string; readonly url: string }> {
      const response = await fetch(`${stack.api}/api/v1/demo/acquire`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ template: name }),
      });
      expect(response.status).toBeLessThan(300);
      return (await response.json()) as { readonly id: string; readonly url: string };
    }

    async function newPage({ httpCredentials }: Visit): Promise<Page> {
      const page = await (await browser.newContext(httpCredentials && { httpCredentials })).newPage();
      page.setDefaultTimeout(PAGE_MS);
      return page;
    }

    it.each(Object.keys(VISITS))('%s: what one visitor changes is theirs alone', async (name) => {
      const visit = VISITS[name] as Visit;
      const { logIn, change, marks } = visit;
      const context = await openCheckpointContext(stack.config, silent);
      try {
        const { id } = await createCheckpoint(context, name, () => undefined, never);
        await promoteCheckpoint(context, id, () => undefined, never);
      } finally {
        await context.close();
      }
      await eventually(async () => expect(await restored(name)).toBeGreaterThanOrEqual(2), PATIENT);
      const [mine, theirs] = [await acquire(name), await acquire(name)];
      const [first, second] = [await newPage(visit), await newPage(visit)];
      const origin = (url: string): string => new URL('/', url).href;
      await logIn(first, origin(mine.url));
      await change(first, 'written-by-me');
      expect(await marks(first, origin(mine.url))).toContain('written-by-me');
      await logIn(second, origin(theirs.url));
      expect(await marks(second, origin(theirs.url))).not.toContain('written-by-me');
      // What opens one opens no other.
      const secrets = async (page: Page): Promise<string[]> =>
        (await page.context().cookies()).map(({ value }) => value).filter((value) => value.length >= 16);
      const opened = await secrets(first);
      expect((await secrets(second)).filter((value) => opened.includes(value))).toEqual([]);
      await first.context().close();
      await second.context().close();
    });

    it.each(Object.entries(VISITS).flatMap(([name, { firstStep }]) => (firstStep ? [{ name, firstStep }] : [])))(
      '$name: a link leads to its page signed in, once',
      async ({ name, firstStep: { open, secret, signedIn } }) => {
        const first = await (await browser.newContext()).newPage();
        const asked: string[] = [];
        first.on('request', (request) => asked.push(request.url()));
        await eventually(async () => {
          await first.goto(`${stack.config.server.publicUrl}/try/${name}?${new URLSearchParams({ open }).toString()}`);
          await first.getByText('Ready now').waitFor({ timeout: 1_000 });
        }, PATIENT);
        await first.getByRole('button', { name: /^Try it now/ }).click();
        const app = first.frameLocator('iframe');
        await app.locator(signedIn).waitFor({ state: 'attached', timeout: PAGE_MS });
        const shown = first.frames()[1]?.url() ?? '';
        expect(shown).toContain(open);
        const [way = 'none'] = asked.filter((url) => secret.test(url));
        expect(new URL(way).origin).toBe(new URL(shown).origin);
        expect([first.url(), shown].filter((url) => secret.test(url))).toEqual([]);
        const second = await (await browser.newContext()).newPage();
        await second.goto(way);
        expect(await second.locator(signedIn).count()).toBe(0);
        await second.locator('.action.login').first().waitFor({ state: 'attached' });
        await first.context().close();
        await second.context().close();
      },
    );
  },
);
