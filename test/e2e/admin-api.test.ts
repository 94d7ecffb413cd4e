import { Redis as Valkey } from 'iovalkey';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newInstanceId } from '../../src/domain/ids.ts';
import { eventually } from '../support/eventually.ts';
import { OPERATOR_KEY, operatorOf, type Json } from '../support/operator.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { template } from '../support/templates.ts';

const AUTOSIZE = { min: 1, max: 2, cover: 0.95, schedule: [] };
const PATIENT = { timeoutMs: 60_000 };

describe('pools and instances', () => {
  let stack: Stack;
  let operator: ReturnType<typeof operatorOf>;
  beforeAll(async () => {
    stack = await startStack({
      // Clients are who the test says they are.
      env: { OPERATOR_KEYS: OPERATOR_KEY, TRUSTED_PROXIES: '127.0.0.1', GATE_MODE: 'off' },
      templates: [
        template({ pool: { target: 3, max: 8, replenishThreshold: 0 } }),
        template({ name: 'other', pool: { target: 1, max: 2, replenishThreshold: 0, autosize: AUTOSIZE } }),
      ],
    });
    operator = operatorOf(stack);
    await eventually(async () => {
      expect(await operator.pool()).toMatchObject({ ready: 3, warming: 0 });
      expect(await operator.pool('other')).toMatchObject({ ready: 1 });
    }, PATIENT);
  });
  afterAll(() => stack[Symbol.asyncDispose]());

  it('tells how a pool does', async () => {
    expect(await operator.pool()).toEqual({
      template: 'tiny',
      mode: 'open',
      since: null,
      deadline: null,
      reason: null,
      ready: 3,
      assigned: 0,
      warming: 0,
      leaving: 0,
      waiting: 0,
      target: 3,
      configured_target: 3,
      operator_target: null,
      operator_target_until: null,
      size: null,
      capacity: 8,
      breaker: { open: false, failures: 0, retry_in_seconds: 0 },
    });
  });

  it('tells of a breaker that is open, and when the next try comes', async () => {
    const valkey = new Valkey(stack.config.valkey.port, stack.config.valkey.host);
    try {
      await valkey.hset('refill_pause:other', 'failures', 4, 'until_ms', Date.now() + 60_000);
      expect((await operator.pool('other'))['breaker']).toEqual({
        open: true,
        failures: 4,
        retry_in_seconds: expect.toSatisfy((seconds: number) => seconds > 50 && seconds <= 61) as number,
      });
      await valkey.del('refill_pause:other');
      expect((await operator.pool('other'))['breaker']).toMatchObject({ open: false });
    } finally {
      valkey.disconnect();
    }
  });

  it('pauses one, says so to visitors, and leaves the others alone', async () => {
    const paused = await operator.ask('POST', '/pools/tiny/pause', { reason: 'Back at three' });
    expect(paused.json).toMatchObject({
      mode: 'paused',
      reason: 'Back at three',
      deadline: null,
      since: expect.stringMatching(/^\d{4}-.*Z$/) as string,
    });
    const refused = await operator.acquire();
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '30']);
    expect(await refused.json()).toMatchObject({
      code: 'pool_paused',
      reason: 'Back at three',
      detail: expect.stringContaining('Back at three') as string,
    });
    expect(
      (
        await fetch(`${stack.api}/api/v1/demo/acquire`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: '{"template":"other"}',
        })
      ).status,
    ).toBe(201);
    expect((await operator.ask('POST', '/pools/tiny/resume')).json).toMatchObject({
      mode: 'open',
      reason: null,
      since: null,
    });
    expect((await operator.acquire()).status).toBe(201);
  });

  it('scales one up and down, and back to its configuration', async () => {
    expect((await operator.ask('PUT', '/pools/tiny/target', { target: 5 })).json).toMatchObject({
      target: 5,
      configured_target: 3,
    });
    await eventually(async () => expect(await operator.pool()).toMatchObject({ ready: 5 }), PATIENT);
    for (const [body, message] of [
      [{ target: 9 }, 'must be <= 8'],
      [{ target: -1 }, '/target must be'],
      [{ target: 'x' }, '/target must be'],
      [{}, '/target must have'],
    ] as const) {
      const refused = await operator.ask('PUT', '/pools/tiny/target', body);
      expect([refused.status, refused.json?.['detail']]).toEqual([400, expect.stringContaining(message)]);
    }
    expect((await operator.ask('PUT', '/pools/tiny/target', { target: null })).json).toMatchObject({ target: 3 });
    expect((await operator.ask('PUT', '/pools/nothing/target', { target: 1 })).json).toMatchObject({
      status: 404,
      code: 'unknown_template',
    });
  });

  it('has an operator’s target end by itself', async () => {
    const { json } = await operator.ask('PUT', '/pools/tiny/target', { target: 2, for_seconds: 7_200 });
    expect(json).toMatchObject({ target: 2, operator_target: 2 });
    const leftMs = Date.parse(String(json?.['operator_target_until'])) - Date.now();
    expect(leftMs).toBeGreaterThan(7_000_000);
    expect(leftMs).toBeLessThanOrEqual(7_200_000);
    expect((await operator.ask('PUT', '/pools/tiny/target', { target: null })).json).toMatchObject({
      ...{ target: 3, operator_target: null, operator_target_until: null },
    });
  });

  it('has one that sizes itself follow an event, and says why', async () => {
    const event = {
      ...{ from: new Date(Date.now() - 1_000).toISOString(), to: new Date(Date.now() + 3_600_000).toISOString() },
      target: 2,
    };
    const add = (template: string, body: object) => operator.ask('PUT', `/pools/${template}/events/class`, body);
    expect((await add('other', event)).json).toEqual({ name: 'class', ...event });
    await eventually(
      async () =>
        expect((await operator.pool('other'))['size']).toMatchObject({
          ...{ target: 2, reason: 'event', bound: null, why: '2, since the event class wants 2' },
        }),
      PATIENT,
    );
    for (const [template, body, said] of [
      ['other', { ...event, target: 3 }, 'must be <= 2'],
      ['other', { ...event, to: event.from }, 'later than from'],
      ['other', { ...event, from: '2026-01-01T00:00:00Z', to: '2026-01-01T01:00:00Z' }, 'is over'],
      ['other', { ...event, to: 'noon' }, '/to must match'],
      ['tiny', event, 'for pools that size themselves'],
      ['nothing', event, 'no template named'],
    ] as const) {
      const refused = await add(template, body);
      expect([refused.status, refused.json?.['detail']]).toEqual([
        template === 'nothing' ? 404 : 400,
        expect.stringContaining(said),
      ]);
    }
    expect((await operator.ask('GET', '/pools/other/events')).json).toEqual({ events: [{ name: 'class', ...event }] });
    expect((await operator.ask('DELETE', '/pools/other/events/class')).status).toBe(204);
    expect((await operator.ask('DELETE', '/pools/other/events/class')).json).toMatchObject({ code: 'unknown_event' });
    const audit = JSON.stringify((await operator.ask('GET', '/audit')).json);
    expect(audit).toMatch(/pool\.event\.add from=\S+ to=\S+ target=2"/);
    expect(audit).toContain('other class');
  });

  it('drains one by the deadline, keeps an extend within it, and fills it again', async () => {
    const held = (await (await operator.acquire()).json()) as { id: string };
    const drained = await operator.ask('POST', '/pools/tiny/drain', { within_seconds: 600, reason: 'Moving' });
    const deadline = drained.json?.['deadline'];
    expect(drained.json).toMatchObject({ mode: 'draining', reason: 'Moving' });
    await eventually(async () => expect(await operator.pool()).toMatchObject({ ready: 0, warming: 0 }), PATIENT);
    expect(await operator.pool()).toMatchObject({ assigned: expect.toSatisfy((count: number) => count > 0) as number });
    const sooner = await operator.ask('POST', '/pools/tiny/drain', { within_seconds: 90 });
    expect(Date.parse(String(sooner.json?.['deadline']))).toBeLessThan(Date.parse(String(deadline)));
    const extended = (await (
      await fetch(`${stack.api}/api/v1/demo/${held.id}/extend`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"minutes":4}',
      })
    ).json()) as { expires_at: string };
    expect(extended.expires_at).toBe(sooner.json?.['deadline']);
    await operator.ask('POST', '/pools/tiny/drain', { within_seconds: 0 });
    await eventually(async () => expect(await operator.pool()).toMatchObject({ assigned: 0, leaving: 0 }), PATIENT);
    await operator.ask('POST', '/pools/tiny/resume');
    await eventually(async () => expect(await operator.pool()).toMatchObject({ mode: 'open', ready: 3 }), PATIENT);
  });

  it('refuses what it does not know, and says what', async () => {
    for (const [path, body, message] of [
      ['/pools/tiny/pause', { reasn: 'x' }, '/reasn must NOT'],
      ['/pools/tiny/pause', { reason: 'a\u001bb' }, '/reason must match'],
      ['/pools/tiny/pause', { reason: 'x'.repeat(201) }, '/reason must NOT have more than 200'],
      ['/pools/tiny/drain', { within_seconds: 1.5 }, '/within_seconds must be integer'],
      ['/pools/tiny/drain', { within_seconds: 1e9 }, '/within_seconds must be <='],
      ['/queue/purge', { which: 'all' }, 'must be one of provision, cleanup, dead'],
      ['/queue/purge', undefined, "must have required property 'which'"],
    ] as const) {
      const refused = await operator.ask('POST', path, body);
      expect([refused.status, refused.json?.['detail']]).toEqual([400, expect.stringContaining(message)]);
    }
    for (const query of [
      '/instances?state=lost',
      '/instances?stat=ready',
      '/queue/tasks?limit=0',
      '/queue/dead?limit=1001',
      '/audit?limit=x',
      '/pools?x=1',
    ])
      expect((await operator.ask('GET', query)).json).toMatchObject({ status: 400, code: 'invalid_request' });
    expect(await operator.pool()).toMatchObject({ mode: 'open' });
  });

  it('lists instances, shows one and what it wrote, and ends it no matter who holds it', async () => {
    const held = (await (await operator.acquire()).json()) as { id: string; url: string; expires_at: string };
    const assigned = await operator.list('/instances?state=assigned&template=tiny&node=node0', 'instances');
    expect(assigned).toEqual([
      {
        id: held.id,
        template: 'tiny',
        state: 'assigned',
        node: 'node0',
        container: expect.stringMatching(/^demo-/) as string,
        port: expect.any(Number) as number,
        created_at: expect.any(String) as string,
        expires_at: held.expires_at,
        client: '127.0.0.1',
        url: held.url,
        quarantine_reason: null,
        frame_refusal: null,
        failures: 0,
      },
    ]);
    expect(await operator.list('/instances?node=node7', 'instances')).toEqual([]);
    expect((await operator.ask('GET', `/instances/${held.id}`)).json).toEqual(assigned[0]);
    const logs = await operator.ask('GET', `/instances/${held.id}/logs?tail=2`);
    expect([logs.headers.get('content-type'), logs.text.trimEnd().split('\n')]).toEqual([
      'text/plain; charset=utf-8',
      [expect.any(String), expect.stringMatching(/^GET /)],
    ]);
    expect((await operator.ask('DELETE', `/instances/${held.id}`)).json).toMatchObject({
      id: held.id,
      state: 'releasing',
      url: null,
    });
    await eventually(
      async () =>
        expect((await operator.ask('GET', `/instances/${held.id}`)).json).toMatchObject({
          status: 404,
          code: 'unknown_instance',
        }),
      PATIENT,
    );
    for (const path of [`/instances/${newInstanceId()}`, '/instances/short'])
      expect((await operator.ask('DELETE', path)).json).toMatchObject({ code: 'unknown_instance' });
  });

  it('hands nothing out to a network that is banned, and ends what its clients hold', async () => {
    const client = { 'x-forwarded-for': '203.0.113.7' };
    const acquire = () => fetch(`${stack.api}/api/v1/demo/acquire`, { method: 'POST', headers: client });
    const stocked = () =>
      eventually(async () => expect(await operator.pool()).not.toMatchObject({ ready: 0 }), PATIENT);
    await stocked();
    const { id } = (await (await acquire()).json()) as { id: string };
    expect(await operator.list('/bans', 'bans')).toEqual([]);
    const body = { for_seconds: 3_600, reason: 'Burns the pool', end: true };
    const ban = {
      network: '203.0.113.0/24',
      since: expect.any(String) as string,
      until: expect.any(String) as string,
      reason: body.reason,
    };
    expect((await operator.ask('PUT', `/bans/${encodeURIComponent('203.0.113.9/24')}`, body)).json).toEqual({
      ...ban,
      ended: 1,
    });
    expect(await operator.list('/bans', 'bans')).toEqual([ban]);
    const [answer, page] = [
      await acquire(),
      await fetch(`${stack.api}/try/tiny`, {
        method: 'POST',
        headers: { ...client, accept: 'text/html', 'sec-fetch-site': 'same-origin' },
      }),
    ];
    expect([answer.status, await answer.json()]).toEqual([
      403,
      expect.objectContaining({ code: 'banned', network: '203.0.113.0/24', reason: 'Burns the pool' }),
    ]);
    expect([page.status, await page.text()]).toEqual([403, expect.stringContaining('Burns the pool')]);
    await eventually(
      async () =>
        expect((await operator.ask('GET', `/instances/${id}`)).json).toMatchObject({ code: 'unknown_instance' }),
      PATIENT,
    );

    const gone = async () => (await operator.ask('DELETE', `/bans/${encodeURIComponent('203.0.113.0/24')}`)).status;
    expect([await gone(), await gone()]).toEqual([204, 404]);
    await stocked();
    const again = (await (await acquire()).json()) as Json;
    expect((await operator.ask('DELETE', `/instances/${String(again['id'])}`)).json).toMatchObject({
      client: '203.0.113.7',
    });
    for (const network of ['0.0.0.0/0', 'example.org'])
      expect(
        (await operator.ask('PUT', `/bans/${encodeURIComponent(network)}`, { for_seconds: 60 })).json,
      ).toMatchObject({ code: 'invalid_request' });
  });

  it('lets a network hold more than others while it has an allowance', async () => {
    const acquire = async () =>
      (
        await fetch(`${stack.api}/api/v1/demo/acquire`, {
          method: 'POST',
          headers: { 'x-forwarded-for': '198.51.100.20' },
        })
      ).json() as Promise<Json>;
    const ids: string[] = [];
    const held = async () => {
      await eventually(async () => expect(await operator.pool()).not.toMatchObject({ ready: 0 }), PATIENT);
      const answer = await acquire();
      ids.push(String(answer['id']));
      return answer;
    };
    expect([await held(), await held(), await acquire()]).toEqual([
      expect.objectContaining({ template: 'tiny' }),
      expect.objectContaining({ template: 'tiny' }),
      expect.objectContaining({ code: 'held_limit', limit: 2, scope: 'address' }),
    ]);
    const allowance = { held: 3, for_seconds: 3_600, reason: 'A class' };
    expect((await operator.ask('PUT', '/allowances/198.51.100.20', allowance)).json).toMatchObject({
      network: '198.51.100.20/32',
      held: 3,
      reason: 'A class',
    });
    expect(await held()).toMatchObject({ template: 'tiny' });
    expect(await acquire()).toMatchObject({ code: 'held_limit', limit: 3 });
    expect(await operator.list('/allowances', 'allowances')).toMatchObject([{ network: '198.51.100.20/32', held: 3 }]);
    expect((await operator.ask('DELETE', '/allowances/198.51.100.20')).status).toBe(204);
    expect(await acquire()).toMatchObject({ code: 'held_limit', limit: 2 });
    for (const id of ids) expect((await operator.ask('DELETE', `/instances/${id}`)).status).toBe(200);
  });

  it.each([
    ['PUT', '/bans/192.0.2.0%2F24', { for_seconds: 60, reason: 'Burns' }, 'bans.add for_seconds=60'],
    ['PUT', '/bans/192.0.2.0%2F24', { for_seconds: 60, end: true }, 'bans.add for_seconds=60 end=true'],
    ['PUT', '/allowances/192.0.2.0%2F24', { for_seconds: 60, held: 9 }, 'allowances.add for_seconds=60 held=9'],
    ['POST', '/templates/reload', { dry_run: true }, 'templates.reload dry_run=true'],
    ['POST', '/templates/reload', { dry_run: false, reason: 7, other: 'y' }, 'templates.reload'],
    ['DELETE', '/nodes/none?force=true', undefined, 'node.remove force=true'],
    ['DELETE', '/nodes/none', undefined, 'node.remove'],
  ])('keeps what was asked for, but words: %s %s %j', async (method, path, body, action) => {
    await operator.ask(method, path, body);
    expect(await operator.list('/audit?limit=1', 'entries')).toEqual([expect.objectContaining({ action })]);
  });

  it("does not ask this node's engine about a container of another", async () => {
    const valkey = new Valkey(stack.config.valkey.port, stack.config.valkey.host);
    try {
      const [ready] = await operator.list('/instances?state=ready', 'instances');
      const id = String(ready?.['id']);
      const record = JSON.parse((await valkey.hget('instances', id)) ?? '{}') as Json;
      const elsewhere = newInstanceId();
      await valkey.hset(
        'instances',
        elsewhere,
        JSON.stringify({ ...record, id: elsewhere, node: 'node7', label: 'a'.repeat(20), port: null }),
      );
      expect((await operator.ask('GET', `/instances/${elsewhere}/logs`)).json).toMatchObject({
        status: 409,
        code: 'other_node',
        node: 'node7',
        detail: expect.stringContaining('node7') as string,
      });
      await valkey.hdel('instances', elsewhere);
    } finally {
      valkey.disconnect();
    }
  });
});
