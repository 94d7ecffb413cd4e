import { readFileSync } from 'node:fs';

/** What a visitor sees in place of an instance, for people and for programs. */
export interface ProxyPage {
  readonly status: number;
  readonly html: string;
  readonly problem: string;
}

/**
 * There is no instance of that name. 404 and not 410: the proxy only knows that nobody answers to the name now, and a
 * 410 tells caches and crawlers that this is for ever.
 */
export function endedPage(startUrl: string): ProxyPage {
  return page('ended.html', startUrl, 404, 'unknown_hostname', 'There is no demo at this address', `It has ended, or the address is mistyped. Start a new one at ${startUrl}.`);
}

/** The name is known, but nothing accepts the connection. 503 and not 502, because only that goes with Retry-After. */
export function unreachablePage(startUrl: string): ProxyPage {
  return page('unreachable.html', startUrl, 503, 'instance_unreachable', 'The demo does not answer right now', 'It is starting again, or its time is up. Try again in a few seconds.');
}

function page(file: string, startUrl: string, status: number, code: string, title: string, detail: string): ProxyPage {
  const html = readFileSync(new URL(`./pages/${file}`, import.meta.url), 'utf8').replaceAll('__START_URL__', escapeHtml(startUrl));
  return { status, html, problem: `${JSON.stringify({ type: 'about:blank', title, status, detail, code })}\n` };
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
