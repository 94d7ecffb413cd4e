import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis as Valkey } from 'iovalkey';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpointRepository } from '../../src/checkpoints/repository.ts';
import { about, asPodmanExports } from '../support/checkpoint-files.ts';
import { launchChromium, whyWithoutChromium } from '../support/chromium.ts';
import { Cleanups, ownFolder } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { OPERATOR_KEY, operatorOf } from '../support/operator.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { silent } from '../support/store.ts';
import { suspend } from '../support/suspend.ts';
import { template } from '../support/templates.ts';

const isRoot = process.getuid?.() === 0;
if (!isRoot) process.stderr.write('Skipped: faults by the dashboard alone; only root may mount a file system\n');
const skip = !isRoot || whyWithoutChromium('faults by the dashboard alone') !== undefined;
const PATIENT = { timeoutMs: 180_000 };
const MIB = 2 ** 20;
/** Below this, doctor calls a disk full. */
const FULL_BELOW = 256 * MIB;

/** An operator who has nothing but a browser: what a test knows, it has read on a page; what it does, it clicked. */
describe.skipIf(skip)('by the dashboard alone', () => {
  const cleanups = new Cleanups('the faults by the dashboard');
  let stack: Stack;
  let browser: Browser;
  let page: Page;
  let base: string;
  /** A file system of its own, which can be filled without harm. */
  let disk: string;

  beforeAll(async () => {
    disk = await ownFolder(cleanups, 'tin-disk-');
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=320m', 'tin-disk', disk]);
    cleanups.push(() => execFileSync('umount', [disk]));
    stack = await startStack({
      env: {
        ...{ OPERATOR_KEYS: OPERATOR_KEY, GATE_MODE: 'off', HELD_LIMIT: '10' },
        ...{ CRIU_ENABLED: 'auto', CHECKPOINT_DIR: join(disk, 'checkpoints') },
      },
      templates: [
        template({ pool: { target: 1, max: 2, replenishThreshold: 0 } }),
        template({
          name: 'broken',
          env: { SIMULATED_EXIT_CODE: '3', SIMULATED_SAYS: 'cannot open /data/app.db' },
          pool: { target: 0, max: 2, replenishThreshold: 0 },
        }),
      ],
    });
    cleanups.push(() => stack[Symbol.asyncDispose]());
    base = `http://127.0.0.1:${stack.config.admin.port}`;
    browser = await launchChromium();
    cleanups.push(() => browser.close());
    page = await (await browser.newContext({ viewport: { width: 1280, height: 900 } })).newPage();
    await page.goto(base);
    await page.fill('[name=key]', OPERATOR_KEY);
    await page.press('[name=key]', 'Enter');
    await page.waitForSelector('text=Nothing needs you right now', { timeout: PATIENT.timeoutMs });
  });
  afterAll(() => cleanups[Symbol.asyncDispose]());

  /** What the overview says of it, once it does. */
  async function told(text: RegExp): Promise<string> {
    if (new URL(page.url()).pathname !== '/') await page.click('nav >> text=Overview');
    const line = page.locator('[data-live="problems"] li', { hasText: text });
    await line.first().waitFor({ timeout: PATIENT.timeoutMs });
    return (await line.first().textContent()) ?? '';
  }
  async function isInOrder(): Promise<void> {
    if (new URL(page.url()).pathname !== '/') await page.click('nav >> text=Overview');
    await page.waitForSelector('text=Nothing needs you right now', { timeout: PATIENT.timeoutMs });
  }
  const follow = (text: RegExp): Promise<void> => page.click(`[data-live="problems"] a >> text=${String(text)}`);
  /** The page that asks is another one, so what it asks is waited for. */
  async function confirm(question: RegExp, button: string): Promise<void> {
    expect(await page.textContent('.question')).toMatch(question);
    await page.click(`main button >> text=${button}`);
  }

  it('an image whose app ends at once: why, and what it leaves in the queue', async () => {
    // Somebody raised the target of what never worked.
    await page.goto(`${base}/pools/broken`);
    await page.fill('[name=target]', '1');
    await page.click('text=Set target');
    expect(await told(/broken: \d+ starts? in a row failed/)).toContain('its page says why they fail');
    await follow(/broken/);
    const said = (await page.textContent('main')) ?? '';
    expect(said).toContain('exit code 3');
    await page.click('text=What the app wrote');
    expect(await page.textContent('pre.output')).toContain('cannot open /data/app.db');
    await page.fill('[name=target]', '0');
    await page.click('text=Set target');
    await told(/\d+ tasks? (is|are) dead/);
    await follow(/dead/);
    expect(await page.textContent('#dead')).toContain('exit code 3');
    while ((await page.locator('#dead button >> text=Discard').count()) > 0) {
      await page.locator('#dead button >> text=Discard').first().click();
      await confirm(/Discard the dead task \d+\?/, 'Discard');
      await page.waitForSelector('text=is gone');
    }
    await isInOrder();
  });

  /** Somebody who asks until they have an instance, as pages do. */
  async function waitInLine(): Promise<void> {
    let place: string | undefined;
    await eventually(
      async () => {
        const answer = await fetch(`${stack.api}/api/v1/waiting`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ template: 'tiny', ...(place === undefined ? {} : { place }) }),
        });
        place = ((await answer.json()) as { place?: string }).place;
        expect(answer.status).toBe(201);
      },
      { ...PATIENT, everyMs: 500 },
    );
  }

  it('a pool at its limit with somebody in line: an instance ends, and they get theirs', async () => {
    for (let visitor = 0; visitor < 2; visitor += 1)
      await eventually(async () => expect((await operatorOf(stack).acquire()).status).toBe(201), PATIENT);
    const served = waitInLine();
    expect(await told(/1 visitor waits for tiny/)).toContain('2 of 2 are with visitors');
    await follow(/visitor waits/);
    await page.locator('table a.id').first().click();
    await page.click('text=End instance');
    await confirm(/End instance .* of tiny \(a visitor has it\)\?/, 'End instance');
    await page.waitForSelector('text=its address has stopped working');
    await served;
    for (const { id } of await operatorOf(stack).list('/instances?state=assigned', 'instances'))
      await operatorOf(stack).ask('DELETE', `/instances/${String(id)}`);
    await isInOrder();
  });

  it('a node that has gone silent for good: it is removed', async () => {
    const valkey = new Valkey(stack.config.valkey.port, stack.config.valkey.host);
    await valkey.hset('nodes', 'node9', '10.9.9.9');
    valkey.disconnect();
    expect(await told(/Node node9 is silent/)).toContain('If its host is gone for good, remove it');
    await follow(/node9/);
    await page.click('main button >> text=Remove');
    await confirm(/Forget node node9/, 'Remove');
    await page.waitForSelector('text=Node node9 is forgotten');
    await isInOrder();
  });

  it('an instance that cannot be taken down: why, and once more', async () => {
    const operator = operatorOf(stack);
    await eventually(async () => expect((await operator.list('/instances?state=ready', 'instances')).length).toBe(1));
    const [ready] = await operator.list('/instances?state=ready', 'instances');
    const id = String(ready?.['id']);
    const valkey = new Valkey(stack.config.valkey.port, stack.config.valkey.host);
    const record = JSON.parse((await valkey.hget('instances', id)) ?? '') as object;
    const reason = 'the engine says: device or resource busy';
    await valkey
      .multi()
      .hset('instances', id, JSON.stringify({ ...record, state: 'quarantined', reason, failures: 9 }))
      .zrem('ready:tiny', id)
      .zadd('leaving:tiny', Date.now() + 3_600_000, id)
      .exec();
    valkey.disconnect();
    expect(await told(/cannot be taken down/)).toContain('device or resource busy');
    await follow(/cannot be taken down/);
    await page.waitForSelector('text=In quarantine');
    await page.click('text=End instance');
    await confirm(/it is quarantined/, 'End instance');
    await isInOrder();
  });

  const finding = (text: RegExp) => page.locator('[data-live="doctor.findings"] li', { hasText: text }).first();

  it('a NATS that hangs: which part it is, and when it is back', async () => {
    await suspend(stack.nats.server);
    try {
      expect(await told(/NATS/)).toContain('Critical');
    } finally {
      process.kill(stack.nats.server.pid ?? 0, 'SIGCONT');
    }
    await isInOrder();
  });

  it('a proxy that hangs, which no pool tells of: doctor does, and takes it back', async () => {
    await suspend(stack.caddy.server);
    try {
      await page.click('nav >> text=Doctor');
      await page.click('text=Run doctor');
      const finding = page.locator('[data-live="doctor.findings"] li', { hasText: /Proxy|Caddy/ }).first();
      await finding.waitFor({ timeout: PATIENT.timeoutMs });
      expect(await finding.textContent()).toContain('Failure');
    } finally {
      process.kill(stack.caddy.server.pid ?? 0, 'SIGCONT');
    }
    expect(await told(/Doctor found \d+ failures?/)).toContain('run it again when that is done');
    await follow(/Doctor found/);
    await page.click('text=Run doctor');
    await eventually(async () => {
      const said = (await page.textContent('[data-live="doctor.findings"]')) ?? '';
      expect(said).not.toMatch(/(Proxy|Caddy)[^.]*does not answer/);
    }, PATIENT);
  });

  it('a full disk: doctor says which and what to do, old checkpoints are deleted, and it is in order', async () => {
    const repository = openCheckpointRepository({ dir: join(disk, 'checkpoints'), log: silent });
    for (const day of [1, 2, 3]) {
      const file = join(disk, 'archive.tar');
      await writeFile(file, asPodmanExports(randomBytes(30 * MIB)));
      await repository.add(file, { ...about, createdAt: `2026-01-0${day}T03:04:05.000Z` });
      await rm(file, { force: true });
    }
    expect(await free()).toBeLessThan(FULL_BELOW);
    await page.click('nav >> text=Doctor');
    await page.click('text=Run doctor');
    await finding(/^Failure.*Disk, checkpoints/).waitFor({ timeout: PATIENT.timeoutMs });
    const said = (await finding(/^Failure.*Disk, checkpoints/).textContent()) ?? '';
    expect(said).toMatch(/^Failure.* free at .*Remove old checkpoints \(try-it-now checkpoint prune\)/);
    await told(/Doctor found \d+ failures?/);
    await page.click('nav >> text=Checkpoints');
    await page.click('text=Delete old ones');
    await confirm(/Delete all checkpoints .* but the newest 1 of each template\?/, 'Delete old ones');
    await page.waitForSelector('text=Deleted: ');
    expect(await free()).toBeGreaterThan(FULL_BELOW);
    await page.click('nav >> text=Doctor');
    await page.click('text=Run doctor');
    await page
      .locator('[data-live="doctor.findings"] li', { hasText: /^Warning.*Disk, checkpoints/ })
      .waitFor({ timeout: PATIENT.timeoutMs });
  });

  async function free(): Promise<number> {
    const { bavail, bsize } = await statfs(disk);
    return bavail * bsize;
  }
});
