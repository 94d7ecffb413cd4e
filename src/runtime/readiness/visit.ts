import type { AppAnswer } from '../../domain/shared-random.ts';
import type { Probe } from '../../pool/interfaces/probe.ts';
import { CookieJar } from './cookie-jar.ts';
import { answerOf, isAnswer, redirectOf, within, type Answered } from './one-request.ts';

/** An app that hands out tokens does so within the first few. */
const REDIRECTS = 5;

export async function visit(target: Parameters<Probe['visit']>[0], signal: AbortSignal): Promise<readonly AppAnswer[]> {
  const deadline = performance.now() + target.timeoutMs;
  const cookies = new CookieJar();
  const seen: AppAnswer[] = [];
  let url = new URL(target.url);
  while (seen.length <= REDIRECTS) {
    const left = Math.max(1, deadline - performance.now());
    const answer = await answerOf({ ...target, url, cookies, keepsText: true }, left, signal);
    signal.throwIfAborted();
    if (!isAnswer(answer)) break;
    seen.push(asSeen(answer));
    const redirect = redirectOf(answer, target, url);
    const next = redirect === undefined ? undefined : within(target, redirect);
    if (next === undefined) break;
    url = next;
  }
  return seen;
}

function asSeen({ headers, text }: Answered): AppAnswer {
  return {
    cookies: headers['set-cookie'] ?? [],
    headers: [headers.location ?? [], headers['content-security-policy'] ?? []].flat(),
    body: text,
  };
}
