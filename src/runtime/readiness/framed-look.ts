import { behaviourOf, leaves, refreshTarget, type FrameRefusal } from '../../domain/frame-refusal.ts';
import type { Probe } from '../../pool/interfaces/probe.ts';
import { CookieJar } from './cookie-jar.ts';
import { answerOf, isAnswer, publicUrl, redirectOf, within, type Answered } from './one-request.ts';

/** As many as browsers follow, roughly. */
const STEPS = 20;
/** Of a page's scripts, the first: one that guards against frames stands at the beginning. */
const SCRIPTS = 40;
/** A script of its own against frames has a few lines; what is longer does other things, and only asks. */
const GUARD_BYTES = 8 * 1024;
const SHOWN = 200;
const LIKE_A_BROWSER = {
  accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
  'accept-language': 'en',
  'user-agent': 'Mozilla/5.0 (compatible; try-it-now)',
};
const IN_A_FRAME = { 'sec-fetch-dest': 'iframe', 'sec-fetch-mode': 'navigate', 'sec-fetch-site': 'cross-site' };

type Target = Parameters<Probe['framing']>[0];

/** What one look needs to go on asking. */
interface Asking {
  readonly target: Target;
  readonly cookies: CookieJar;
  readonly deadline: number;
  readonly signal: AbortSignal;
}

/** Opens the page as a browser would in a frame of another site, redirects and refreshes included, scripts not. */
export async function framing(target: Target, signal: AbortSignal): ReturnType<Probe['framing']> {
  const asking = { target, cookies: new CookieJar(), deadline: performance.now() + target.timeoutMs, signal };
  let url = new URL(target.url);
  for (let step = 0; step < STEPS; step += 1) {
    const answer = await get(asking, url, IN_A_FRAME);
    if (answer === undefined) return { kind: 'unknown' };
    const seen = publicUrl(target, url);
    const next = redirectOf(answer, target, url) ?? (await whereItLeads(asking, answer, seen, url));
    if (next === undefined) return { kind: 'fits' };
    if (!(next instanceof URL)) return next;
    const inside = within(target, next);
    if (inside === undefined) return refuses('leads_elsewhere', next.origin === 'null' ? next.protocol : next.origin);
    url = inside;
  }
  return { kind: 'unknown' };
}

/** Of an answer that is no redirect: where it sends its browser, or what is wrong with it in a frame. */
async function whereItLeads(
  asking: Asking,
  answer: Answered,
  seen: URL,
  url: URL,
): Promise<URL | undefined | Awaited<ReturnType<Probe['framing']>>> {
  const { status, headers, text } = answer;
  if (status >= 400) {
    const alone = await get(asking, url, { 'sec-fetch-dest': 'document', 'sec-fetch-mode': 'navigate' });
    return alone !== undefined && alone.status < 400
      ? refuses('refuses_requests', `status ${status} at ${url.pathname}`)
      : { kind: 'unknown' };
  }
  const type = headers['content-type'] ?? '';
  if (/^application\/pdf\b/i.test(type)) return refuses('needs_plugins', 'a PDF');
  const { refresh } = headers;
  const told = typeof refresh === 'string' ? refreshTarget(refresh, seen) : undefined;
  if (told !== undefined || (type !== '' && !/html/i.test(type))) return told;
  const page = behaviourOf(text, seen);
  if (page.leavesFrames) return refuses('leaves_frames', `in ${seen.pathname}`);
  const guard = await guardAmong(asking, page.scripts, page);
  return guard === undefined ? page.refreshTo : refuses('leaves_frames', guard.pathname);
}

async function guardAmong(
  asking: Asking,
  scripts: readonly URL[],
  { hidden }: { readonly hidden: boolean },
): Promise<URL | undefined> {
  for (const script of scripts.slice(0, SCRIPTS)) {
    const own = within(asking.target, script);
    const answer = own === undefined ? undefined : await get(asking, own, { 'sec-fetch-dest': 'script' });
    if (answer?.status !== 200 || answer.text.length > GUARD_BYTES) continue;
    if (leaves(answer.text, { hidden })) return script;
  }
  return undefined;
}

async function get(
  { target, cookies, deadline, signal }: Asking,
  url: URL,
  headers: Readonly<Record<string, string>>,
): Promise<Answered | undefined> {
  const leftMs = deadline - performance.now();
  if (leftMs <= 0) return undefined;
  const request = {
    url,
    visitor: target.visitor,
    cookies,
    headers: { ...LIKE_A_BROWSER, ...headers },
    keepsText: true,
  };
  const answer = await answerOf(request, leftMs, signal);
  signal.throwIfAborted();
  return isAnswer(answer) ? answer : undefined;
}

function refuses(why: FrameRefusal['why'], what: string): { readonly kind: 'refuses'; readonly refusal: FrameRefusal } {
  return { kind: 'refuses', refusal: { why, what: what.slice(0, SHOWN) } };
}
