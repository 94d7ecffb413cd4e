import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { launchEngine, titleFor, whyWithout } from '../support/container-engine.ts';
import { Cleanups } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { startStack, type Stack } from '../support/stack.ts';

const PATIENT = { timeoutMs: 240_000 };
const run = promisify(execFile);
const fileOf = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** The image takes minutes to build the first time. */
const asked = process.env['GALLERY'] === '1';
if (!asked) process.stdout.write('Skipped: the guestbook with its services; `npm run gallery` runs it.\n');

/** An app as its image is, told by its environment alone, with a PostgreSQL and a Redis of each visitor's own. */
describe.each(['podman', 'docker'] as const)('the guestbook with its services on %s', (engine) => {
  describe.skipIf(!asked || whyWithout(engine) !== undefined)(titleFor(engine), () => {
    const cleanups = new Cleanups('the guestbook');
    let stack: Stack;
    beforeAll(async () => {
      const launched = await launchEngine(engine);
      cleanups.push(() => launched[Symbol.asyncDispose]());
      await run(fileOf('scripts/build-image.sh'), ['guestbook', '--engine', engine], {
        env: { ...process.env, ...(engine === 'docker' ? { DOCKER_HOST: `unix://${launched.socketPath}` } : {}) },
      });
      const file = fileOf('examples/guestbook/template.yaml');
      const [template] = loadConfig({ TEMPLATES_FILE: file }).config.templates;
      if (template === undefined) throw new Error(`${file} offers nothing`);
      stack = await startStack({
        engine,
        socketPath: launched.socketPath,
        templates: [{ ...template, pool: { target: 2, max: 2, replenishThreshold: 0 } }],
      });
      cleanups.push(() => stack[Symbol.asyncDispose]());
    }, 600_000);
    afterAll(() => cleanups[Symbol.asyncDispose]());

    async function acquire(): Promise<string> {
      const { statusCode, body } = await request(`${stack.api}/api/v1/demo/acquire`, { method: 'POST' });
      expect(statusCode).toBeLessThan(300);
      return ((await body.json()) as { readonly url: string }).url;
    }

    async function visit(url: string, text?: string): Promise<string> {
      const { statusCode, headers, body } = await request(stack.proxy, {
        headers: { host: new URL(url).host, 'content-type': 'application/x-www-form-urlencoded' },
        ...(text === undefined ? {} : { method: 'POST', body: new URLSearchParams({ text }).toString() }),
      });
      expect([statusCode, headers['location']]).toEqual(text === undefined ? [200, undefined] : [303, url]);
      return body.text();
    }

    it('keeps what one visitor writes, and counts, from the other', async () => {
      await eventually(async () => {
        const { body } = await request(`${stack.api}/api/v1/pool/stats`);
        expect(await body.json()).toMatchObject({ ready: 2 });
      }, PATIENT);
      const [mine, theirs] = [await acquire(), await acquire()];
      const views = (page: string): number => Number(/id="views">(\d+)/.exec(page)?.[1]);
      const before = views(await visit(theirs));
      await visit(mine, 'written by me');
      expect(await visit(mine)).toContain('<li>written by me</li>');
      const again = await visit(theirs);
      expect(again).not.toContain('written by me');
      expect(again).toContain(`at ${theirs}`);
      expect(views(again)).toBe(before + 1);
    });
  });
});
