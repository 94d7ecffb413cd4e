import { createHash } from 'node:crypto';
import type { Redis as Valkey } from 'iovalkey';
import { describe, expect, it } from 'vitest';
import { keyFingerprint } from '../../src/http/api-keys.ts';
import { send, type DashboardLogin } from './dashboard-login.ts';
import { eventually } from './eventually.ts';
import { triesRoutesForPreviews, type AskRoute } from './operator-roles.ts';
import type { operatorOf } from './operator.ts';

/** Of what there is, only the routes of the API about previews are for `key`. */
export function triesKeyForPreviews(
  key: string,
  pages: readonly string[],
  deployment: () => {
    readonly base: string;
    readonly valkey: Valkey;
    readonly login: () => Promise<DashboardLogin>;
    readonly ask: AskRoute;
  },
): void {
  describe('a key for previews, on each route', () => {
    triesRoutesForPreviews((...question) => deployment().ask(...question));

    it.each([...pages, '/live', '/sessions', '/nowhere'])('is shown nothing at %s', async (path) => {
      const headers = { 'x-api-key': key, accept: 'text/html' };
      const answer = await fetch(`${deployment().base}${path}`, { headers });
      expect([answer.status, await answer.text()]).toEqual([403, expect.stringContaining('role_too_low')]);
    });

    it.each(['/act/pool.pause', '/act/preview.remove', '/logout'])('does nothing by the form of %s', async (path) => {
      const answer = await send(deployment().base, path, { on: 'tiny' }, '', { 'x-api-key': key });
      expect([answer.status, await answer.text()]).toEqual([403, expect.stringContaining('role_too_low')]);
    });

    it('logs nobody in, and says so', async () => {
      const answer = await send(deployment().base, '/login', { key });
      expect([answer.status, answer.headers.getSetCookie()]).toEqual([403, []]);
      expect(await answer.text()).toContain('This key is for a program that puts previews');
    });

    it('ends the logins of a key that has become one', async () => {
      const { valkey, login: logIn } = deployment();
      const login = await logIn();
      const id = createHash('sha256').update(login.cookie.slice('operator='.length)).digest('hex');
      const session = JSON.parse((await valkey.hget('operator_sessions', id)) ?? '') as object;
      await valkey.hset('operator_sessions', id, JSON.stringify({ ...session, who: keyFingerprint(key) }));
      expect((await login.get('/')).status).toBe(303);
    });
  });
}

/** By its page: `tiny` lets three be made of `localhost/acme/tiny:pr-*`, and there is none of it. */
export function putsAndRemovesPreviews(
  logIn: () => Promise<DashboardLogin>,
  deployment: () => ReturnType<typeof operatorOf>,
): void {
  it('puts a preview, shows how it does, and removes it after a question', async () => {
    const [login, operator] = [await logIn(), deployment()];
    const fields = { name: 'tiny-pr-7', from: 'tiny', image: 'localhost/acme/tiny:pr-7', for: '3h' };
    const refused = await login.act('preview.put', { ...fields, image: 'docker.io/library/miner:1' });
    expect([refused.status, await refused.text()]).toEqual([403, expect.stringContaining('preview_not_allowed')]);
    const put = await login.act('preview.put', fields);
    expect([put.status, put.headers.get('location')]).toEqual([303, expect.stringMatching(/^\/previews\?done=/)]);
    expect(await login.page(put.headers.get('location') ?? '')).toContain('/try/tiny-pr-7');
    await eventually(async () => {
      const page = await login.page('/previews');
      expect(page).toContain('data-live="preview.tiny-pr-7.state"><span class="badge" data-tone="good">ready');
      for (const text of ['href="/pools/tiny-pr-7"', '>in 3 h<', '1 of 3', '>key:']) expect(page).toContain(text);
    });
    const asked = await login.act('preview.remove', { on: 'tiny-pr-7', sure: '' });
    expect([asked.status, await asked.text()]).toEqual([
      200,
      expect.stringContaining('Remove the preview tiny-pr-7? Nobody gets one any more'),
    ]);
    expect((await operator.ask('GET', '/previews/tiny-pr-7')).json).toMatchObject({ state: 'ready' });
    expect((await login.act('preview.remove', { on: 'tiny-pr-7' })).status).toBe(303);
    expect((await operator.ask('GET', '/previews/tiny-pr-7')).json?.['state']).not.toBe('ready');
    const entries = await operator.list('/audit?limit=3', 'entries');
    expect(entries.map(({ action, on, outcome }) => [action, on, outcome])).toEqual([
      ['preview.remove', 'tiny-pr-7', 'done'],
      ['preview.put from=tiny image=localhost/acme/tiny:pr-7 for_seconds=10800', 'tiny-pr-7', 'done'],
      ['preview.put from=tiny image=docker.io/library/miner:1 for_seconds=10800', 'tiny-pr-7', 'preview_not_allowed'],
    ]);
  });
}
