import { createServer } from 'node:http';
import { once } from 'node:events';
import { Redis as Valkey } from 'iovalkey';
import { describe, expect, it } from 'vitest';
import type { Heartbeat } from '../../src/domain/node.ts';
import { keys } from '../../src/store/keys.ts';
import { eventually } from '../support/eventually.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { suspend } from '../support/suspend.ts';
import { template } from '../support/templates.ts';

const PATIENT = { timeoutMs: 60_000 };

async function stats({ api }: Stack): Promise<Record<string, number>> {
  return (await (await fetch(`${api}/api/v1/pool/stats`)).json()) as Record<string, number>;
}

/** Where every port of the range stands, as an operator would look it up. */
async function ports({ config }: Stack): Promise<{ available: number; cooling: number; held: number }> {
  const valkey = new Valkey(config.valkey.port, config.valkey.host);
  try {
    const [available, cooling, held] = await Promise.all([
      valkey.scard('available_ports'),
      valkey.zcard('cooling_ports'),
      valkey.hlen('held_ports'),
    ]);
    return { available, cooling, held };
  } finally {
    valkey.disconnect();
  }
}

describe('the pool', () => {
  it('answers 200 visitors at once with exactly the 20 instances there are, and asks the others to wait', async () => {
    const few = template({ pool: { target: 20, max: 20, replenishThreshold: 0 } });
    await using stack = await startStack({ templates: [few] });
    await eventually(async () => expect(await stats(stack)).toMatchObject({ ready: 20 }), PATIENT);
    const answers = await Promise.all(
      Array.from({ length: 200 }, async () => {
        const response = await fetch(`${stack.api}/api/v1/demo/acquire`, { method: 'POST' });
        return {
          status: response.status,
          retryAfter: response.headers.get('retry-after'),
          body: (await response.json()) as { id?: string; code?: string },
        };
      }),
    );
    const taken = answers.filter(({ status }) => status < 300);
    expect(new Set(taken.map(({ body }) => body.id)).size).toBe(20);
    expect(taken).toHaveLength(20);
    const refused = answers.filter(({ status }) => status === 503);
    expect(refused).toHaveLength(180);
    for (const { body, retryAfter } of refused) {
      expect(body.code).toBe('pool_empty');
      expect(Number(retryAfter)).toBeGreaterThan(0);
    }
  });

  it('ends an instance when its time is up, and its name with it', async () => {
    const brief = template({ ttl: { defaultMs: 3_000, maxMs: 6_000 } });
    await using stack = await startStack({ templates: [brief] });
    await eventually(async () => expect(await stats(stack)).toMatchObject({ ready: 3 }), PATIENT);
    const acquired = await fetch(`${stack.api}/api/v1/demo/acquire`, { method: 'POST' });
    expect(acquired.status).toBe(201);
    const { id } = (await acquired.json()) as { id: string };
    await eventually(async () => expect((await fetch(`${stack.api}/api/v1/demo/${id}`)).status).toBe(404), PATIENT);
    await eventually(async () => {
      expect(await stats(stack)).toMatchObject({ ready: 3, assigned: 0, warming: 0, leaving: 0 });
      expect((await stack.app.runtime.list()).map(({ instanceId }) => instanceId)).not.toContain(id);
    }, PATIENT);
  });

  it('goes on ending visits, stays a node, and starts, while the memory of Valkey is used up', async () => {
    const brief = template({ ttl: { defaultMs: 10_000, maxMs: 20_000 } });
    await using stack = await startStack({ templates: [brief], reconcileIntervalMs: 500 });
    await eventually(async () => expect(await stats(stack)).toMatchObject({ ready: 3 }), PATIENT);
    const acquire = (): Promise<Response> => fetch(`${stack.api}/api/v1/demo/acquire`, { method: 'POST' });
    const [over, ended] = [await acquire(), await acquire()];
    const ids = await Promise.all([over, ended].map(async (answer) => ((await answer.json()) as { id: string }).id));
    const valkey = new Valkey(stack.config.valkey.port, stack.config.valkey.host);
    try {
      await valkey.config('SET', 'maxmemory', '1');
      expect((await fetch(`${stack.api}/api/v1/demo/${ids[1]}`, { method: 'DELETE' })).status).toBe(204);
      await eventually(async () => {
        expect(await valkey.hmget(keys.instances, ...ids)).toEqual([null, null]);
        const containers = (await stack.app.runtime.list()).map(({ instanceId }) => instanceId);
        for (const id of ids) expect(containers).not.toContain(id);
      }, PATIENT);
      const heartbeat = keys.heartbeat(stack.config.node.name);
      const before = (JSON.parse((await valkey.get(heartbeat)) ?? '{}') as Partial<Heartbeat>).sequence ?? 0;
      await eventually(async () => {
        const { sequence } = JSON.parse((await valkey.get(heartbeat)) ?? '{}') as Partial<Heartbeat>;
        expect(sequence).toBeGreaterThan(before + 1);
      }, PATIENT);
      await stack.restart();
      expect((await fetch(`${stack.api}/health`)).status).toBe(200);
      await valkey.config('SET', 'maxmemory', '0');
      await eventually(async () => expect(await stats(stack)).toMatchObject({ ready: 3, leaving: 0 }), PATIENT);
    } finally {
      valkey.disconnect();
    }
  });

  it('undoes a provision that fails, keeps every port accounted for, and recovers by itself', async () => {
    await using stack = await startStack({
      templates: [template({ pool: { target: 1, max: 1, replenishThreshold: 0 } })],
      env: { CONTAINER_PORT_COOLDOWN: '10s' },
    });
    await eventually(async () => expect(await stats(stack)).toMatchObject({ ready: 1 }), PATIENT);
    const { start, end } = stack.config.containers.portRange;
    // Every port is occupied by somebody else but the one in use, so the next start must fail.
    const blockers = Array.from({ length: end - start + 1 }, () => createServer());
    await Promise.all(
      blockers.map(async (server, at) => {
        server.listen(start + at, '127.0.0.1');
        // The one port that is in use refuses.
        await once(server, 'listening').catch(() => undefined);
      }),
    );
    try {
      const { id } = (await (await fetch(`${stack.api}/api/v1/demo/acquire`, { method: 'POST' })).json()) as {
        id: string;
      };
      await fetch(`${stack.api}/api/v1/demo/${id}`, { method: 'DELETE' });
      await eventually(async () => {
        const text = await (await fetch(`${stack.api}/metrics`)).text();
        expect(text).toMatch(/try_it_now_provision_failures_total\{template="tiny",code="container_failed"\} [1-9]/);
      }, PATIENT);
    } finally {
      for (const server of blockers) server.close();
    }
    await eventually(
      async () => expect(await stats(stack)).toMatchObject({ ready: 1, warming: 0, leaving: 0 }),
      PATIENT,
    );
    const { available, cooling, held } = await ports(stack);
    expect({ held, sum: available + cooling + held }).toEqual({ held: 1, sum: end - start + 1 });
    expect(await stack.app.runtime.list()).toHaveLength(1);
  });

  it('goes on handing out while NATS is unavailable, and refills when it is back', async () => {
    await using stack = await startStack();
    await eventually(async () => expect(await stats(stack)).toMatchObject({ ready: 3 }), PATIENT);
    await suspend(stack.nats.server);
    try {
      const response = await fetch(`${stack.api}/api/v1/demo/acquire`, { method: 'POST' });
      expect(response.ok).toBe(true);
      const { id } = (await response.json()) as { id: string };
      expect((await fetch(`${stack.api}/api/v1/demo/${id}`, { method: 'DELETE' })).status).toBe(204);
    } finally {
      stack.nats.server.signal('SIGCONT');
    }
    await eventually(async () => expect(await stats(stack)).toMatchObject({ ready: 3, warming: 0 }), PATIENT);
  });

  it("puts the proxy's server back when it was deleted", async () => {
    await using stack = await startStack();
    await eventually(async () => expect(await stats(stack)).toMatchObject({ ready: 3 }), PATIENT);
    await stack.restart(async () => {
      expect((await fetch(`${stack.caddy.adminUrl}/config/apps/http/servers/demo`, { method: 'DELETE' })).ok).toBe(
        true,
      );
    });
    expect(await (await fetch(`${stack.caddy.adminUrl}/config/apps/http/servers/demo`)).json()).toMatchObject({
      listen: [stack.config.proxy.listen],
    });
  });
});
