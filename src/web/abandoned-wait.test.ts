import { describe, expect, it } from 'vitest';
import { FakeDemos } from '../../test/support/fake-demos.ts';
import { startHttp } from '../../test/support/http-server.ts';
import { PageVisitor } from '../../test/support/page-visitor.ts';

describe('a wait that nobody went on with', () => {
  it.each(['a click', 'a look at the waiting page'])('is begun again by %s', async (how) => {
    const clock = { skipMs: 0, now: () => Date.now() + clock.skipMs };
    const demos = new FakeDemos(undefined, 0);
    await using http = await startHttp({ demos, page: { clock, waitLimitMs: 180_000 } });
    const visitor = new PageVisitor(http.url);
    const ask = async () =>
      (await visitor.send('POST', '/try/hello', { headers: { accept: 'application/json' } })).json();
    const look = async () => (await visitor.send('GET', '/wait/hello')).text();
    await visitor.send('GET', '/');
    await ask();
    // The place lapsed long ago; the browser remembers the wait for longer.
    demos.waiting.set('hello', []);
    [clock.skipMs, demos.waitedMs] = [170_000, 0];
    if (how === 'a click') expect(await ask()).toMatchObject({ state: 'waiting', waited_seconds: 0 });
    expect(await look()).toContain('data-waited="0"');
    [clock.skipMs, demos.waitedMs] = [200_000, 30_000];
    expect(await ask()).toMatchObject({
      state: 'waiting',
      waited_seconds: expect.toSatisfy((seconds: number) => seconds >= 30 && seconds < 170) as number,
    });
    expect(await look()).toMatch(/data-waited="[3-9]\d"/);
  });
});
