import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { findProgram } from '../../src/launcher/child-server.ts';

const CHROMIUM_WITHOUT_NETLINK = fileURLToPath(new URL('chromium-without-netlink.pl', import.meta.url));

/** The browser that people have, and the same without what makes windows, for half of the processor time. */
const WHOLE = 'chromium';
const HEADLESS = 'chromium-headless-shell';

/**
 * Why these tests cannot run in a browser here, which is printed; undefined when they can. Where CI runs nothing is
 * excused: they run, and fail.
 */
export function whyWithoutChromium(tests: string): string | undefined {
  if (process.env['CI'] === 'true') return undefined;
  const missing = [WHOLE, HEADLESS].filter((program) => findProgram(program) === undefined);
  if (missing.length === 0) return undefined;
  const why = `not installed: ${missing.join(', ')}`;
  process.stderr.write(`Skipped: ${tests} in a browser; ${why} (scripts/setup.sh --with-tests)\n`);
  return why;
}

/** Of a launch, and of every wait for a page: a machine that is busy takes long over both. */
const PATIENCE_MS = 90_000;

/** The machine's own Chromium, without a window and blind to interfaces of the host that come and go. Close it. */
export async function launchChromium(flags: readonly string[] = [], program = HEADLESS): Promise<Browser> {
  const browser = await chromium.launch({
    executablePath: CHROMIUM_WITHOUT_NETLINK,
    env: { ...process.env, CHROMIUM: program },
    // Containers and root have no user namespaces for its sandbox; it opens nothing but our own pages.
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', ...flags],
    timeout: PATIENCE_MS,
  });
  browser.on('context', (context) => context.setDefaultTimeout(PATIENCE_MS));
  return browser;
}

/** One that keeps no cookies and no storage of one site in frames of another, as browsers do in private windows. */
export function launchPrivateChromium(): Promise<Browser> {
  return launchChromium([], WHOLE);
}

/** A page of either that blocks cookies of other sites; unlike private windows, it keeps what else apps store. */
export async function newPageWithoutForeignCookies(context: BrowserContext): Promise<Page> {
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  await session.send('Network.enable');
  await session.send('Network.setCookieControls', { enableThirdPartyCookieRestriction: true });
  return page;
}
