import { request } from 'undici';
import { expect, it } from 'vitest';
import type { Template } from '../../src/domain/template.ts';
import { eventually } from '../support/eventually.ts';
import { startStack, type StackOptions } from '../support/stack.ts';

interface Acquired {
  readonly id: string;
  readonly url: string;
  readonly expires_at: string;
  readonly ttl_seconds: number;
}

/** What the whole system is for, the same on every engine: a click, an app of one's own, and nothing left of it afterwards. */
export function mainJobSuite(engineOptions: () => StackOptions, template: Template): void {
  const open = async (proxy: string, url: string) => {
    const { host, pathname } = new URL(url);
    const { statusCode, body } = await request(`${proxy}${pathname}`, { headers: { host } });
    return { status: statusCode, text: await body.text() };
  };

  it('hands two visitors two containers, extends one, ends both, and leaves nothing', async () => {
    await using stack = await startStack({ ...engineOptions(), templates: [template] });
    const { api, proxy, app } = stack;
    const stats = async () => (await (await fetch(`${api}/api/v1/pool/stats`)).json()) as Record<string, number>;
    await eventually(async () => expect(await stats()).toMatchObject({ ready: template.pool.target }), { timeoutMs: 60_000 });

    const acquire = async () => {
      const response = await fetch(`${api}/api/v1/demo/acquire`, { method: 'POST' });
      expect(response.ok).toBe(true);
      return (await response.json()) as Acquired;
    };
    const [first, second] = [await acquire(), await acquire()];
    expect(first.url).not.toBe(second.url);
    expect(first.ttl_seconds).toBe(template.ttl.defaultMs / 1_000);
    for (const { url } of [first, second]) expect((await open(proxy, url)).status).toBe(200);
    const containers = await app.runtime.list();
    expect(containers.filter(({ instanceId }) => instanceId === first.id || instanceId === second.id)).toHaveLength(2);

    const extended = await fetch(`${api}/api/v1/demo/${first.id}/extend`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"minutes":1}' });
    expect(Date.parse(((await extended.json()) as Acquired).expires_at)).toBe(Date.parse(first.expires_at) + 60_000);

    for (const { id } of [first, second]) expect((await fetch(`${api}/api/v1/demo/${id}`, { method: 'DELETE' })).status).toBe(204);
    await eventually(async () => {
      const names = (await app.runtime.list()).map(({ instanceId }) => instanceId);
      expect(names).not.toContain(first.id);
      expect(names).not.toContain(second.id);
    }, { timeoutMs: 20_000 });
    await eventually(async () => expect((await open(proxy, first.url)).status).toBe(404));
    // The places of the two are filled again.
    await eventually(async () => expect(await stats()).toMatchObject({ ready: template.pool.target, assigned: 0, warming: 0 }), { timeoutMs: 60_000 });
  });
}
