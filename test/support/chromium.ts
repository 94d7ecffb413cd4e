import { fileURLToPath } from 'node:url';
import { chromium, type Browser } from 'playwright-core';
import { findProgram } from '../../src/launcher/child-server.ts';

const CHROMIUM_WITHOUT_NETLINK = fileURLToPath(new URL('chromium-without-netlink.pl', import.meta.url));

/** Why browser tests cannot run here; undefined when they can. Where CI runs nothing is excused: they run, and fail. */
export function whyWithoutChromium(): string | undefined {
  if (process.env['CI'] === 'true' || findProgram('chromium') !== undefined) return undefined;
  return 'chromium is not installed';
}

/** The machine's own Chromium, without a window and blind to interfaces of the host that come and go. Close it. */
export async function launchChromium(flags: readonly string[] = []): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM_WITHOUT_NETLINK,
    // Containers and root have no user namespaces for its sandbox; it opens nothing but our own pages.
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', ...flags],
  });
}
