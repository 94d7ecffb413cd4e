import { readFileSync } from 'node:fs';

/** What is answered in place of an instance, to people and to programs. */
export interface ProxyPage {
  readonly status: number;
  readonly html: string;
  readonly problem: string;
}

/** Seconds between two tries of the page for an instance that does not answer; also its Retry-After. */
export const RETRY_SECONDS = 3;

/**
 * There is no instance of that name. 404 and not 410: the proxy knows only that nobody answers to the name now, while
 * a 410 tells caches and crawlers that this is for ever.
 */
export function endedPage(startUrl: string): ProxyPage {
  return {
    status: 404,
    html: fill('<title>This copy has ended · Try It Now</title>', read('ended.html'), startUrl),
    problem: problem(
      404,
      'unknown_hostname',
      'There is nothing at this address',
      `The copy has ended, or the address is mistyped. Start a new one at ${startUrl}`,
    ),
  };
}

/** The name is known, but nothing takes the connection. 503 and not 502, because that is what Retry-After goes with. */
export function unreachablePage(startUrl: string): ProxyPage {
  return {
    status: 503,
    html: fill(
      `<meta http-equiv="refresh" content="${RETRY_SECONDS}">\n<title>One moment · Try It Now</title>`,
      read('unreachable.html'),
      startUrl,
    ),
    problem: problem(
      503,
      'instance_unreachable',
      'The copy does not answer right now',
      'It is busy or starting again, or it has just ended. Try again in a few seconds.',
    ),
  };
}

/**
 * The instance took the request and gave no answer. 504, without Retry-After and without a page that reloads by itself:
 * what was asked may still be under way, and more of it would not help an app that hangs.
 */
export function silentPage(startUrl: string, limitMs: number): ProxyPage {
  const limit = inWords(limitMs);
  return {
    status: 504,
    html: fill('<title>No answer yet · Try It Now</title>', read('silent.html'), startUrl).replace('__LIMIT__', () =>
      escapeHtml(limit),
    ),
    problem: problem(
      504,
      'instance_silent',
      'The copy took the request but did not answer',
      `Nothing came back within ${limit}. The app hangs, or needs longer; what you asked for may still be done.`,
    ),
  };
}

function inWords(ms: number): string {
  return ms % 60_000 === 0 && ms > 60_000 ? `${ms / 60_000} minutes` : `${Math.ceil(ms / 1_000)} seconds`;
}

/** One self-contained page: what it shows must not depend on any server that may be down. */
function fill(head: string, body: string, startUrl: string): string {
  return read('frame.html')
    .replace('__HEAD__', () => head)
    .replace('__STYLE__', () => read('page.css'))
    .replace('__BODY__', () => body)
    .replaceAll('__START_URL__', () => escapeHtml(startUrl));
}

function problem(status: number, code: string, title: string, detail: string): string {
  return `${JSON.stringify({ type: 'about:blank', title, status, detail, code })}\n`;
}

function read(file: string): string {
  return readFileSync(new URL(`./pages/${file}`, import.meta.url), 'utf8');
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
