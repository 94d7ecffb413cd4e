import { request } from 'undici';
import { Redis as Valkey } from 'iovalkey';
import { expect, it } from 'vitest';
import type { Instance } from '../../src/domain/instance.ts';
import { openDoctorContext } from '../../src/composition/doctor-context.ts';
import type { Config } from '../../src/config/config.ts';
import { runChecks } from '../../src/doctor/check.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { eventually } from '../support/eventually.ts';
import { claimPorts } from '../support/port-ranges.ts';
import { Program } from '../support/program.ts';
import { silent } from '../support/store.ts';
import { startStack } from '../support/stack.ts';
import { template } from '../support/templates.ts';

const PATIENT = { timeoutMs: 60_000 };

async function answer(url: string): Promise<[number, unknown]> {
  const response = await fetch(url);
  return [response.status, await response.json()];
}

/** What the doctor says of the process there. */
async function doctorOf(config: Config): Promise<string[]> {
  const { checks, close } = await openDoctorContext(config, silent);
  const found = await runChecks(checks.filter(({ part, what }) => part === 'Server' && what !== 'servers'));
  close();
  return found.map(({ verdict, what, seen }) => `${verdict}: ${what}: ${seen}`);
}

it('shares the work with a second node, reaches its instances, and has it clean up what it holds', async () => {
  await using stack = await startStack({
    templates: [template({ name: 'default', pool: { target: 4, max: 12, replenishThreshold: 0 } })],
  });
  const { config, api, proxy } = stack;
  await using ports = await claimPorts(100);
  const watched = `http://127.0.0.1:${await freePort()}`;
  const valkey = new Valkey(config.valkey.port, config.valkey.host);
  try {
    await using worker = new Program(['worker'], {
      NODE_NAME: 'node1',
      WORKER_METRICS_ADDR: new URL(watched).host,
      CONTAINER_MODE: 'simulated',
      CONTAINER_IMAGE: template().image,
      VALKEY_ADDR: stack.valkey.address,
      NATS_URL: stack.nats.url,
      CADDY_ADMIN_URL: 'http://127.0.0.1:9',
      PROXY_LISTEN: config.proxy.listen,
      DISCOVERY_ADDR: `127.0.0.1:${config.proxy.discovery.port}`,
      CONTAINER_PORT_RANGE_START: String(ports.start),
      CONTAINER_PORT_RANGE_END: String(ports.end),
      CONTAINER_PORT: String(template().port),
      // As the server's template has it: the one that ends first is handed out first.
      POOL_DEFAULT_TTL: '1m',
      POOL_MAX_TTL: '5m',
      POOL_MAX_AGE: '1h',
    });
    await eventually(() => expect(worker.output).toContain('Try It Now started'), PATIENT);

    const recordOf = async (id: string): Promise<Instance | undefined> => {
      const text = await valkey.hget('instances', id);
      return text === null ? undefined : (JSON.parse(text) as Instance);
    };
    /** Takes and gives back until the second node has had its turn at the refill. */
    const foreign = await eventually(
      async () => {
        const { id, url } = (await (await fetch(`${api}/api/v1/demo/acquire`, { method: 'POST' })).json()) as {
          id: string;
          url: string;
        };
        const record = await recordOf(id);
        if (record?.node === 'node1') return { id, url, record };
        await fetch(`${api}/api/v1/demo/${id}`, { method: 'DELETE' });
        throw new Error(`the second node has made none yet, this one is on ${record?.node ?? 'no node'}`);
      },
      { ...PATIENT, everyMs: 100 },
    );

    expect(foreign.record.port).toBeGreaterThanOrEqual(ports.start);
    expect(foreign.record.port).toBeLessThanOrEqual(ports.end);
    expect(await valkey.hget('held_ports:node1', String(foreign.record.port))).toBe(foreign.id);
    const { host, pathname } = new URL(foreign.url);
    const page = await request(`${proxy}${pathname}`, { headers: { host } });
    expect(page.statusCode).toBe(200);
    expect(await page.body.text()).toContain(foreign.record.container);

    await fetch(`${api}/api/v1/demo/${foreign.id}`, { method: 'DELETE' });
    await eventually(async () => {
      expect(await recordOf(foreign.id)).toBeUndefined();
      expect(await valkey.zscore('cooling_ports:node1', String(foreign.record.port))).not.toBeNull();
    }, PATIENT);
    // What it made is counted there and nowhere else; how the pools stand, servers tell.
    const counted = await (await fetch(`${watched}/metrics`)).text();
    expect(counted).toMatch(
      /^try_it_now_provisions_total\{template="default",method="cold_start",status="success"\} [1-9]/m,
    );
    expect(counted).toMatch(/^try_it_now_dependency_up\{dependency="nats"\} 1$/m);
    expect(counted).not.toMatch(/^try_it_now_(pool|node|queue)_\w+\{/m);
    expect([await answer(`${watched}/health`), await answer(`${watched}/ready`)]).toEqual([
      [200, { status: 'ok' }],
      [200, { status: 'ready' }],
    ]);
    expect(await answer(`${watched}/api/v1/demo/acquire`)).toMatchObject([404, { code: 'unknown_route' }]);
    const further = {
      ...config,
      server: { ...config.server, port: await freePort() },
      worker: { metrics: { host: '127.0.0.1', port: Number(new URL(watched).port) } },
    };
    expect(await doctorOf(further)).toEqual([
      'ok: API: none on this host, where a worker runs alone',
      `ok: worker: ${watched}/ready says {"status":"ready"}`,
      'ok: log: every line was written',
      'ok: API keys: none: the API is open to anyone who reaches it',
    ]);
    await stack.nats.server.stop();
    await eventually(
      async () => expect(await answer(`${watched}/ready`)).toMatchObject([503, { code: 'queue_unavailable' }]),
      PATIENT,
    );
    expect(await answer(`${watched}/health`)).toMatchObject([200, {}]);
    expect((await doctorOf(further))[1]).toMatch(/^failure: worker: .* answers 503: .*queue_unavailable/);
    worker.signal('SIGTERM');
    expect(await worker.exitCode).toBe(0);
  } finally {
    valkey.disconnect();
  }
});
