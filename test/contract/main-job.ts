import { request } from 'undici';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Template } from '../../src/domain/template.ts';
import { eventually } from '../support/eventually.ts';
import { startStack, type Stack, type StackOptions } from '../support/stack.ts';

interface Acquired {
  readonly id: string;
  readonly url: string;
  readonly expires_at: string;
  readonly ttl_seconds: number;
}

const PATIENT = { timeoutMs: 60_000 };

async function acquire({ api }: Stack): Promise<Acquired> {
  const response = await fetch(`${api}/api/v1/demo/acquire`, { method: 'POST' });
  expect(response.ok).toBe(true);
  return (await response.json()) as Acquired;
}

/** As a browser asks: by the instance's own host name, through Caddy. */
async function open({ proxy }: Stack, url: string): Promise<number> {
  const { host, pathname } = new URL(url);
  const { statusCode, body } = await request(`${proxy}${pathname}`, { headers: { host } });
  await body.dump();
  return statusCode;
}

async function stats({ api }: Stack): Promise<Record<string, number>> {
  return (await (await fetch(`${api}/api/v1/pool/stats`)).json()) as Record<string, number>;
}

/**
 * What the whole system is for, the same on every engine: a click, an app of one's own, and
 * nothing left of it afterwards.
 */
export function mainJobSuite(engine: {
  readonly options: () => StackOptions;
  readonly template: () => Template;
  readonly survivesRestart: boolean;
}): void {
  let template: Template;
  // One for all that follows: each leaves the pool full and nobody in it.
  let stack: Stack;
  beforeAll(async () => {
    template = engine.template();
    stack = await startStack({ ...engine.options(), templates: [template] });
  });
  afterAll(() => stack[Symbol.asyncDispose]());
  const full = () =>
    eventually(
      async () =>
        expect(await stats(stack)).toMatchObject({
          ready: template.pool.target,
          assigned: 0,
          warming: 0,
          leaving: 0,
        }),
      PATIENT,
    );

  it('hands two visitors two containers, extends one, ends both, and fills the pool again', async () => {
    await full();
    const [first, second] = [await acquire(stack), await acquire(stack)];
    expect(first.url).not.toBe(second.url);
    expect(first.ttl_seconds).toBe(template.ttl.defaultMs / 1_000);
    for (const { url } of [first, second]) expect(await open(stack, url)).toBe(200);
    const ids = async () => (await stack.app.runtime.list()).map(({ instanceId }) => instanceId);
    expect(await ids()).toEqual(expect.arrayContaining([first.id, second.id]));

    const extended = await fetch(`${stack.api}/api/v1/demo/${first.id}/extend`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"minutes":1}',
    });
    expect(Date.parse(((await extended.json()) as Acquired).expires_at)).toBe(Date.parse(first.expires_at) + 60_000);

    for (const { id } of [first, second])
      expect((await fetch(`${stack.api}/api/v1/demo/${id}`, { method: 'DELETE' })).status).toBe(204);
    await eventually(async () => expect(await ids()).not.toEqual(expect.arrayContaining([first.id])), PATIENT);
    await eventually(async () => expect(await ids()).not.toEqual(expect.arrayContaining([second.id])), PATIENT);
    await eventually(async () => expect(await open(stack, first.url)).toBe(404));
    await full();
  });

  // Simulated containers end with the server, so there is nothing for its visitors to keep.
  if (!engine.survivesRestart) return;

  it('keeps visitors in their apps while the server restarts, and takes out what was lost meanwhile', async () => {
    await full();
    const [kept, lost] = [await acquire(stack), await acquire(stack)];
    const containerOf = async (id: string) =>
      (await stack.app.runtime.list()).find(({ instanceId }) => instanceId === id)?.name ?? '';
    const [keptContainer, lostContainer] = [await containerOf(kept.id), await containerOf(lost.id)];

    await stack.restart(async () => {
      expect(await open(stack, kept.url)).toBe(200);
      await stack.app.runtime.remove(lostContainer);
    });
    expect(await open(stack, kept.url)).toBe(200);
    expect(await containerOf(kept.id)).toBe(keptContainer);
    await eventually(
      async () => expect((await fetch(`${stack.api}/api/v1/demo/${lost.id}`)).status).toBe(404),
      PATIENT,
    );
    await eventually(
      async () => expect(await stats(stack)).toMatchObject({ ready: template.pool.target, assigned: 1 }),
      PATIENT,
    );
    await fetch(`${stack.api}/api/v1/demo/${kept.id}`, { method: 'DELETE' });
    await full();
  });

  it('replaces the idle instances of an older template version', async () => {
    await full();
    await stack.restart(undefined, [{ ...template, env: { RELEASE: 'new' } }]);
    await eventually(async () => {
      expect(await (await fetch(`${stack.api}/metrics`)).text()).toContain(
        `try_it_now_releases_total{template="${template.name}",reason="outdated"} 3`,
      );
    }, PATIENT);
    await full();
  });
}
