import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Page } from 'playwright-core';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpointContext } from '../../src/composition/checkpoint-context.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { Template } from '../../src/domain/template.ts';
import { launchMariadb, type LaunchedMariadb } from '../../src/launcher/mariadb.ts';
import { createCheckpoint, promoteCheckpoint } from '../../src/pool/checkpoints.ts';
import { launchChromium, whyWithoutChromium } from '../support/chromium.ts';
import { launchEngine, titleFor, whyWithout, type LaunchedEngine } from '../support/container-engine.ts';
import { eventually } from '../support/eventually.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { silent } from '../support/store.ts';

const PATIENT = { timeoutMs: 90_000 };
const never = new AbortController().signal;
const run = promisify(execFile);
const fileOf = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/**
 * Where CRIU may not read other users' limits, only an app that runs as root can be dumped; the
 * image built so is another.
 */
const AS_ROOT = ['--build-arg', 'RUN_AS=0:0', '--tag', 'criu'];

interface Acquired {
  readonly id: string;
  readonly url: string;
}

describe.skipIf(whyWithout('podman') !== undefined || whyWithoutChromium('the restored examples') !== undefined)(
  `the examples, restored, on ${titleFor('podman')}`,
  () => {
    let podman: LaunchedEngine;
    beforeAll(async () => {
      podman = await launchEngine('podman');
    });
    afterAll(async () => podman[Symbol.asyncDispose]());

    /** The example as its own catalogue offers it. */
    async function example(name: string, env: Readonly<Record<string, string>> = {}): Promise<Template> {
      await run(fileOf('scripts/build-image.sh'), [name, '--engine', 'podman', ...AS_ROOT]);
      const [template] = loadConfig({ TEMPLATES_FILE: fileOf(`examples/${name}/template.yaml`), ...env }).config
        .templates;
      if (template === undefined) throw new Error(`examples/${name}/template.yaml offers nothing`);
      return {
        ...template,
        image: `localhost/try-it-now/${name}:criu`,
        pool: { target: 2, max: 4, replenishThreshold: 0 },
      };
    }

    /** Checkpoints the template and waits until the whole pool was restored from it. */
    async function restoredPool(stack: Stack, template: Template): Promise<void> {
      const context = await openCheckpointContext(stack.config, silent);
      try {
        const { id } = await createCheckpoint(context, template.name, () => undefined, never);
        await promoteCheckpoint(context, id, () => undefined, never);
      } finally {
        await context.close();
      }
      await eventually(async () => {
        const metrics = await (await fetch(`${stack.api}/metrics`)).text();
        const restored = Number(
          new RegExp(
            `^try_it_now_provisions_total\\{template="${template.name}",method="criu_restore",status="success"\\} ` +
              '(\\d+)',
            'm',
          ).exec(metrics)?.[1] ?? 0,
        );
        expect(restored).toBeGreaterThanOrEqual(template.pool.target);
        expect(metrics).not.toMatch(/method="criu_restore",status="failure"\} [1-9]/);
        expect(await (await fetch(`${stack.api}/api/v1/pool/stats`)).json()).toMatchObject({
          ready: template.pool.target,
          warming: 0,
        });
      }, PATIENT);
    }

    async function acquire({ api }: Stack): Promise<Acquired> {
      const response = await fetch(`${api}/api/v1/demo/acquire`, { method: 'POST' });
      expect(response.status).toBeLessThan(300);
      return (await response.json()) as Acquired;
    }

    it('hello: two clones are two boards', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'try-it-now-checkpoints-'));
      try {
        const hello = await example('hello');
        await using stack = await startStack({
          engine: 'podman',
          socketPath: podman.socketPath,
          templates: [hello],
          env: { CHECKPOINT_DIR: folder, CRIU_ENABLED: 'auto' },
          reconcileIntervalMs: 1_000,
        });
        await restoredPool(stack, hello);
        const boards = await Promise.all(
          [await acquire(stack), await acquire(stack)].map(async ({ url }) => {
            const headers = { host: new URL(url).host };
            const handedOver = JSON.stringify({
              instance_id: 'a'.repeat(26),
              hostname: headers.host,
              url,
              seed: '0'.repeat(64),
            });
            const ask = async (path: string): Promise<string> =>
              (await request(`${stack.proxy}${path}`, { headers })).body.text();
            const again = await request(`${stack.proxy}/.try-it-now/activate`, {
              method: 'POST',
              headers: { ...headers, 'content-type': 'application/json' },
              body: handedOver,
            });
            await again.body.dump();
            expect(again.statusCode).toBe(409);
            return {
              identity: await ask('/.try-it-now/identity'),
              name: (JSON.parse(await ask('/api/board')) as { name: string }).name,
            };
          }),
        );
        expect(boards[0]?.identity).not.toBe(boards[1]?.identity);
        expect(boards[0]?.name).not.toBe(boards[1]?.name);
      } finally {
        await rm(folder, { recursive: true });
      }
    });

    it('wordpress: two clones in a browser are two shops, each with its login, secrets and database', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'try-it-now-wordpress-'));
      // The database server's account has to pass through.
      await chmod(folder, 0o711);
      let mariadb: LaunchedMariadb | undefined;
      try {
        mariadb = await launchMariadb({ dir: join(folder, 'mariadb') });
        const database = {
          DATABASE_SOCKET: mariadb.socketPath,
          DATABASE_USER: mariadb.user,
          DATABASE_PASSWORD: mariadb.password,
        };
        const wordpress = await example('wordpress', database);
        await using stack = await startStack({
          engine: 'podman',
          socketPath: podman.socketPath,
          templates: [wordpress],
          env: {
            ...database,
            TEMPLATES_FILE: fileOf('examples/wordpress/template.yaml'),
            CHECKPOINT_DIR: join(folder, 'checkpoints'),
            CRIU_ENABLED: 'auto',
          },
          reconcileIntervalMs: 1_000,
        });
        await restoredPool(stack, wordpress);
        const shops = [await acquire(stack), await acquire(stack)] as const;
        const containers = await stack.app.runtime.list();
        const identities = await Promise.all(
          shops.map(async ({ id }) => {
            const name = containers.find(({ instanceId }) => instanceId === id)?.name ?? '';
            return JSON.parse(
              (
                await stack.app.runtime.exec(
                  name,
                  { command: ['php', '/app/identity.php'], env: {}, timeoutMs: 10_000 },
                  never,
                )
              ).output,
            ) as Record<string, string>;
          }),
        );
        const [one, other] = identities;
        expect(Object.keys(one ?? {}).length).toBeGreaterThan(0);
        for (const [key, value] of Object.entries(one ?? {})) expect(value, key).not.toBe(other?.[key]);

        const browser = await launchChromium();
        try {
          const open = async ({ url }: Acquired): Promise<Page> => {
            const page = await (await browser.newContext()).newPage();
            await page.goto(new URL('/wp-login.php', url).href);
            // The form comes filled with the login that the page shows.
            await page.click('#wp-submit');
            await page.waitForURL(/\/wp-admin\//);
            return page;
          };
          const pages = [await open(shops[0]), await open(shops[1])] as const;
          const cookies = await Promise.all(
            pages.map(async (page) =>
              (await page.context().cookies()).filter(({ name }) => name.startsWith('wordpress_logged_in_')),
            ),
          );
          expect(cookies.map((found) => found.length)).toEqual([1, 1]);
          expect(cookies[0]?.[0]?.name).not.toBe(cookies[1]?.[0]?.name);

          expect(
            await pages[0].evaluate(`(async () => {
          const nonce = await (await fetch('/wp-admin/admin-ajax.php?action=rest-nonce')).text();
          const post = { title: 'Only in the first shop', content: 'Hello', status: 'publish' };
          const headers = { 'content-type': 'application/json', 'x-wp-nonce': nonce };
          const request = { method: 'POST', headers, body: JSON.stringify(post) };
          return (await fetch('/?rest_route=/wp/v2/posts', request)).status;
        })()`),
          ).toBe(201);
          const found = async (page: Page, { url }: Acquired): Promise<number> => {
            await page.goto(new URL(`/?s=${encodeURIComponent('Only in the first shop')}`, url).href);
            return page.locator('main').getByRole('link', { name: 'Only in the first shop' }).count();
          };
          expect(await found(pages[0], shops[0])).toBeGreaterThan(0);
          expect(await found(pages[1], shops[1])).toBe(0);
          // One shop's session opens nothing in the other.
          const stolen = await pages[0].context().cookies(shops[0].url);
          await pages[1].context().clearCookies();
          await pages[1]
            .context()
            .addCookies(stolen.map((cookie) => ({ ...cookie, domain: new URL(shops[1].url).hostname })));
          await pages[1].goto(new URL('/wp-admin/', shops[1].url).href);
          expect(pages[1].url()).toContain('wp-login.php');
        } finally {
          await browser.close();
        }
      } finally {
        await mariadb?.[Symbol.asyncDispose]();
        await rm(folder, { recursive: true });
      }
    });
  },
);
