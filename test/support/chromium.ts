import { fileURLToPath } from 'node:url';
import { chromium, type Browser } from 'playwright-core';
import { findProgram } from '../../src/launcher/child-server.ts';

const CHROMIUM_WITHOUT_NETLINK = fileURLToPath(new URL('chromium-without-netlink.pl', import.meta.url));

/** Why browser tests cannot run here; undefined when they can. Where CI runs nothing is excused: they run, and fail. */
export function whyWithoutChromium(): string | undefined {
  if (process.env['CI'] === 'true' || findProgram('chromium') !== undefined) return undefined;
  return 'chromium is not installed';
}

/** Of a launch, and of every wait for a page: a machine that is busy takes long over both. */
const PATIENCE_MS = 90_000;

/** The machine's own Chromium, without a window and blind to interfaces of the host that come and go. Close it. */
export async function launchChromium(flags: readonly string[] = []): Promise<Browser> {
  const browser = await chromium.launch({
    executablePath: CHROMIUM_WITHOUT_NETLINK,
    // Containers and root have no user namespaces for its sandbox; it opens nothing but our own pages.
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', ...flags],
    timeout: PATIENCE_MS,
  });
  browser.on('context', (context) => context.setDefaultTimeout(PATIENCE_MS));
  return browser;
}
