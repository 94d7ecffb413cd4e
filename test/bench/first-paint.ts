import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Frame, Page } from 'playwright-core';
import { stringify } from 'yaml';
import { sleep } from '../../src/lifecycle/sleep.ts';
import { launchChromium } from '../support/chromium.ts';
import { Cleanups, ownFolder } from '../support/deployment.ts';
import { figure, median, percentile, type Figure } from './figures.ts';
import { startServerProcess } from './server-process.ts';
import { startSlowLine } from './slow-line.ts';
import { startTlsSite } from './tls-site.ts';

/** Of a visitor's line, both ways. */
const ROUND_TRIP_MS = 40;
/** Of each kind. */
const VISITS = 20;
/** From pointing at a button to pressing it. */
const AIMS_FOR_MS = 300;
const START_HOST = 'try.example.org';

const SITES = [
  { name: 'one certificate', baseDomain: 'demo.example.org', oneCertificate: true },
  { name: 'a certificate each', baseDomain: 'demo.example.org', oneCertificate: false },
  { name: 'a domain of its own', baseDomain: 'instances.example.net', oneCertificate: false },
] as const;
type Site = (typeof SITES)[number];

/** By the template's name. */
const WAYS = { framed: { frame: 'auto' }, bare: { frame: 'off' } } as const;
type Way = keyof typeof WAYS;

/**
 * From the click to the app's first paint, in a Chromium that knows nothing yet, over a line of some length, with TLS
 * as we ship it. With and without what the page does ahead of the click, in turns.
 */
export async function benchFirstPaint(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const site of SITES) {
    const cleanups = new Cleanups('the benchmark');
    try {
      figures.push(...(await measure(site, await open(site, cleanups))));
    } finally {
      await cleanups[Symbol.asyncDispose]();
    }
  }
  return figures;
}

async function open({ baseDomain, oneCertificate }: Site, cleanups: Cleanups): Promise<Browser> {
  const dir = await ownFolder(cleanups, 'try-it-now-first-paint-');
  const templates = join(dir, 'templates.yaml');
  await writeFile(templates, stringify({ templates: Object.entries(WAYS).map(templateOf) }));
  const server = await startServerProcess({
    engine: 'simulated',
    target: VISITS,
    workers: 4,
    portRange: [10_000, 10_999],
    env: {
      TEMPLATES_FILE: templates,
      BASE_DOMAIN: baseDomain,
      PUBLIC_SCHEME: 'https',
      PUBLIC_PORT: '443',
      PUBLIC_URL: `https://${START_HOST}`,
      TRUSTED_PROXIES: '127.0.0.1',
    },
  });
  cleanups.push(() => server[Symbol.asyncDispose]());
  const { proxyPort, api } = server;
  const tls = await startTlsSite({
    dir,
    startHost: START_HOST,
    baseDomain,
    oneCertificate,
    serverPort: Number(new URL(api).port),
    proxyPort,
  });
  cleanups.push(() => tls[Symbol.asyncDispose]());
  const line = await startSlowLine(tls.port, ROUND_TRIP_MS);
  cleanups.push(() => line[Symbol.asyncDispose]());
  const browser = await launchChromium([
    `--host-resolver-rules=MAP *:443 127.0.0.1:${line.port}`,
    `--ignore-certificate-errors-spki-list=${tls.trusted.join(',')}`,
  ]);
  cleanups.push(() => browser.close());
  return browser;
}

function templateOf([name, { frame }]: [string, { readonly frame: string }]) {
  return {
    name,
    title: name,
    image: 'localhost/unused',
    port: 80,
    readiness: { path: '/' },
    frame,
    pool: { target: 2 * VISITS + 10, max: 2 * VISITS + 10, replenish_threshold: 0.99 },
  };
}

async function measure({ name, baseDomain }: Site, browser: Browser): Promise<Figure[]> {
  const kinds = (['framed', 'bare'] as const).flatMap((way) =>
    [false, true].map((ahead) => ({ way, ahead, samples: [] as number[] })),
  );
  // What the servers compile on the way is not what a visit costs.
  for (const { way, ahead } of kinds) await visit(browser, baseDomain, way, ahead);
  for (let round = 0; round < VISITS; round += 1)
    for (const { way, ahead, samples } of kinds) samples.push(await visit(browser, baseDomain, way, ahead));
  return kinds.flatMap(({ way, ahead, samples }) => {
    const what = `${name}, ${way}, ${ahead ? 'with' : 'without'} connecting ahead: click to first paint`;
    return [figure(`${what}, p50`, median(samples), 'ms'), figure(`${what}, p99`, percentile(samples, 0.99), 'ms')];
  });
}

/** How long (ms) it took. Each is a browser's first: nothing cached, no connection. */
async function visit(browser: Browser, baseDomain: string, way: Way, ahead: boolean): Promise<number> {
  const context = await browser.newContext({ viewport: { width: 1_280, height: 800 } });
  try {
    const page = await context.newPage();
    // Before the page's own listeners: it never learns what is pointed at.
    if (!ahead) await page.addInitScript(HIDES_INTENT);
    await page.goto(`https://${START_HOST}/try/${way}`);
    await page.getByRole('button', { name: /^Try it now/ }).hover();
    await sleep(AIMS_FOR_MS);
    await page.mouse.down();
    const clickedAtMs = performance.timeOrigin + performance.now();
    await page.mouse.up();
    return (await paintedAtMs(await appOf(page, baseDomain))) - clickedAtMs;
  } finally {
    await context.close();
  }
}

const HIDES_INTENT = `for (const kind of ['pointerenter', 'focus'])
  window.addEventListener(kind, (event) => event.stopImmediatePropagation(), true);`;

/** Where an instance is shown: 20 characters before the domain, so not what was connected to ahead. */
function appOf(page: Page, baseDomain: string): Promise<Frame> {
  const isApp = (frame: Frame): boolean =>
    new RegExp(`^https://[a-z2-7]{20}\\.${baseDomain.replaceAll('.', '\\.')}/`).test(frame.url());
  return new Promise((resolve) => {
    page.on('framenavigated', (frame) => {
      if (isApp(frame)) resolve(frame);
    });
  });
}

/** By the wall clock. */
function paintedAtMs(frame: Frame): Promise<number> {
  return frame.evaluate<number>(`new Promise((painted) => {
    new PerformanceObserver((list) => {
      const [entry] = list.getEntriesByName('first-contentful-paint');
      if (entry !== undefined) painted(performance.timeOrigin + entry.startTime);
    }).observe({ type: 'paint', buffered: true });
  })`);
}
