import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { challengeRequired } from '../../test/support/fake-demos.ts';
import { startHttp } from '../../test/support/http-server.ts';

const SALT = 'a'.repeat(24);
const challengeOf = (salt: string, number: number) => ({
  algorithm: 'SHA-256',
  challenge: createHash('sha256').update(`${salt}${number}`).digest('hex'),
  maxnumber: 300,
  salt,
  signature: 'signed',
});
type Solve = (challenge: object) => Promise<string>;

it.each<readonly [string, number]>([
  [SALT, 0],
  [`${SALT}?expires=1800000000&for=0123456789012345678901&`, 123],
  // At the edges of a block, where the length no longer fits.
  ...[53, 54, 55, 56, 60, 63, 64, 118, 119, 120, 128].map((length) => ['x'.repeat(length), 299] as const),
])('the browser finds the number behind %s: %i', async (salt, number) => {
  const { solve } = (await import(new URL('./assets/gate.js', import.meta.url).href)) as { solve: Solve };
  const solution = JSON.parse(atob(await solve(challengeOf(salt, number)))) as object;
  const { algorithm, challenge, signature } = challengeOf(salt, number);
  expect(solution).toEqual({ algorithm, challenge, number, salt, signature });
});

it('has a browser solve it and click again, and says what is wrong without JavaScript', async () => {
  await using http = await startHttp();
  http.demos.failure = challengeRequired();
  const click = (body: Record<string, string>, accept = 'text/html') =>
    fetch(`${http.url}/try/hello?open=%2F`, {
      method: 'POST',
      headers: { accept, 'sec-fetch-site': 'same-origin' },
      body: new URLSearchParams({ visitor: 'v'.repeat(22), ...body }),
      redirect: 'manual',
    });
  const page = await click({});
  const text = await page.text();
  expect([page.status, page.headers.get('cache-control')]).toEqual([403, 'no-store']);
  expect(text).toContain('action="/try/hello?open=%2F"');
  expect(text).toContain(`name="visitor" value="${'v'.repeat(22)}"`);
  expect(text).toContain(challengeOf(SALT, 7).challenge);
  expect(text).toContain('That needs JavaScript');
  const [, script = ''] = /<script type="module" src="([^"]+)"/.exec(text) ?? [];
  const served = await fetch(`${http.url}${script}`);
  expect([served.status, served.headers.get('access-control-allow-origin')]).toEqual([200, '*']);
  expect(await (await click({}, 'application/json')).json()).toMatchObject({
    code: 'challenge_required',
    challenge: challengeOf(SALT, 7),
  });

  http.demos.failure = undefined;
  expect((await click({ altcha: 'solution' })).status).toBe(200);
  expect(http.demos.calls.at(-1)).toMatchObject({ argument: { solution: 'solution' } });
});
