import { Redis as Valkey } from 'iovalkey';
import { request } from 'undici';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Instance } from '../../src/domain/instance.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { Releasers } from '../../src/lifecycle/releasers.ts';
import { CuttableWire } from '../support/cuttable-wire.ts';
import { eventually } from '../support/eventually.ts';
import { OPERATOR_KEY, operatorOf } from '../support/operator.ts';
import { PageVisitor } from '../support/page-visitor.ts';
import { claimPorts } from '../support/port-ranges.ts';
import { Program } from '../support/program.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { silent } from '../support/store.ts';
import { suspend } from '../support/suspend.ts';
import { template } from '../support/templates.ts';

const FURTHER = ['node1', 'node2'] as const;
const TARGET = 6;
const RAISED = 8;
const HIGHEST = 10;
const TINY = template({
  name: 'default',
  pool: { target: TARGET, max: 12, replenishThreshold: 0 },
  ttl: { defaultMs: 600_000, maxMs: 600_000 },
});

let stack: Stack;
let valkey: Valkey;
let operator: ReturnType<typeof operatorOf>;
const releasers = new Releasers();
const workers = new Map<string, Program>();
let toValkey: CuttableWire;
let toNats: CuttableWire;

beforeAll(async () => {
  stack = await startStack({
    templates: [TINY],
    env: {
      OPERATOR_KEYS: OPERATOR_KEY,
      TRUSTED_PROXIES: '127.0.0.1',
      RATE_LIMIT_HOURLY: '1',
      HELD_LIMIT: '1',
      GATE_MODE: 'off',
      // What hangs keeps its first visitors waiting for so long.
      PROXY_RESPONSE_TIMEOUT: '2s',
    },
  });
  owned('stack', stack);
  operator = operatorOf(stack);
  valkey = new Valkey(stack.config.valkey.port, stack.config.valkey.host);
  releasers.push('valkey', () => valkey.disconnect());
  toValkey = owned('wire', await CuttableWire.to(endpoint(stack.valkey.address)));
  toNats = owned('wire', await CuttableWire.to(endpoint(new URL(stack.nats.url).host)));
  for (const name of FURTHER) workers.set(name, await startWorker(name));
  await operator.ask('POST', '/nodes/node0/drain', {});
  await eventually(async () => {
    expect(await readyOn('node0')).toBe(0);
    expect(await readyOn(...FURTHER)).toBe(TARGET);
  });
  await operator.ask('POST', '/nodes/node0/uncordon', {});
});
afterAll(() => releasers.releaseAll(silent));

function owned<T extends AsyncDisposable>(name: string, resource: T): T {
  releasers.push(name, () => resource[Symbol.asyncDispose]());
  return resource;
}

function endpoint(address: string): { host: string; port: number } {
  const [host = '', port] = address.split(':');
  return { host, port: Number(port) };
}

/** A host of its own, as far as one machine can have some; node2 reaches Valkey and NATS by wires that can be cut. */
async function startWorker(node: string): Promise<Program> {
  const { config } = stack;
  const ports = owned('ports', await claimPorts(40));
  const worker = owned(
    node,
    new Program(['worker'], {
      NODE_NAME: node,
      CONTAINER_MODE: 'simulated',
      CONTAINER_IMAGE: TINY.image,
      VALKEY_ADDR: node === 'node2' ? toValkey.address : stack.valkey.address,
      NATS_URL: node === 'node2' ? `nats://${toNats.address}` : stack.nats.url,
      CADDY_ADMIN_URL: 'http://127.0.0.1:9',
      WORKER_METRICS_ADDR: `127.0.0.1:${await freePort()}`,
      PROXY_LISTEN: config.proxy.listen,
      DISCOVERY_ADDR: `127.0.0.1:${config.proxy.discovery.port}`,
      CONTAINER_PORT_RANGE_START: String(ports.start),
      CONTAINER_PORT_RANGE_END: String(ports.end),
      CONTAINER_PORT: String(TINY.port),
      POOL_DEFAULT_TTL: '10m',
      POOL_MAX_TTL: '10m',
      POOL_MAX_AGE: '1h',
    }),
  );
  await eventually(() => expect(worker.output).toContain('Try It Now started'));
  return worker;
}

interface Guest {
  readonly visitor: PageVisitor;
  readonly address: string;
}

const records = async (): Promise<readonly Instance[]> =>
  Object.values(await valkey.hgetall('instances')).map((text) => JSON.parse(text) as Instance);
const node = async (name: string) => (await operator.ask('GET', `/nodes/${name}`)).json ?? {};
const readyOn = async (...nodes: readonly string[]): Promise<number> =>
  (await records()).filter(({ state, node: on }) => state === 'ready' && nodes.includes(on)).length;

const ask = ({ visitor, address }: Guest, method: string, path: string): Promise<Response> =>
  visitor.send(method, path, {
    headers: { origin: stack.config.server.publicUrl.replace(/\/$/, ''), 'x-forwarded-for': address },
  });

async function heldBy({ visitor }: Guest): Promise<Instance> {
  const id = visitor.cookies.get('try-it-now-held-default') ?? '';
  const text = await valkey.hget('instances', id);
  if (text === null) throw new Error(`the visitor holds nothing (${id})`);
  return JSON.parse(text) as Instance;
}

/** As many come as there are ready; those stay whose instance is on this node. */
async function guestsOn(wanted: string): Promise<(Guest & { readonly instance: Instance })[]> {
  const all = await Promise.all(
    Array.from({ length: await readyOn('node0', ...FURTHER) }, async (_, at) => {
      const guest = { visitor: new PageVisitor(stack.api), address: `203.0.113.${at}` };
      await ask(guest, 'POST', '/try/default');
      return { ...guest, instance: await heldBy(guest) };
    }),
  );
  const [stay, go] = [true, false].map((on) => all.filter(({ instance }) => (instance.node === wanted) === on));
  for (const guest of go ?? []) await ask(guest, 'POST', '/end/default');
  return stay ?? [];
}

const open = ({ label }: Instance) =>
  request(`${stack.proxy}/`, { headers: { host: `${label}.localhost`, accept: 'text/html' } });

/** As if its last heartbeat were 12 s ago. */
const fallSilent = (name: string): Promise<unknown> => valkey.del(`heartbeat:${name}`);

it('gives visitors of a lost host another instance in place of theirs, or theirs again once it is back', async () => {
  const [stays, leaves, ...others] = await guestsOn('node1');
  if (stays === undefined || leaves === undefined) throw new Error('too few are on node1');
  for (const guest of others) await ask(guest, 'POST', '/end/default');
  const { label, id } = leaves.instance;
  const worker = workers.get('node1') as Program;
  await suspend(worker);
  await fallSilent('node1');
  await eventually(async () => expect(await readyOn('node0', 'node2')).toBe(TARGET));
  expect(await node('node1')).toMatchObject({ alive: false, instances: { ready: 0, assigned: 2 } });
  await eventually(async () => {
    const { statusCode, headers, body } = await open(leaves.instance);
    expect([statusCode, headers['retry-after'], await body.text()]).toEqual([
      503,
      '5',
      expect.stringContaining(`href="${new URL(stack.config.server.publicUrl).origin}/again/${label}"`),
    ]);
  });

  const stranger = { visitor: new PageVisitor(stack.api), address: '198.51.100.1' };
  expect((await ask(stranger, 'GET', `/again/${label}`)).headers.get('location')).toBe('/try/default');
  expect((await ask(leaves, 'GET', `/again/${label}`)).status).toBe(200);
  const another = await heldBy(leaves);
  expect([another.state, another.node === 'node1', another.id === id]).toEqual(['assigned', false, false]);
  expect((await records()).find((record) => record.id === id)).toMatchObject({
    state: 'releasing',
    reason: 'node_lost',
  });
  expect(await valkey.get(`rate:hourly:${leaves.address}`)).toBe('1');
  expect((await ask(leaves, 'GET', `/again/${label}`)).headers.get('location')).toBe('/?notice=gone');

  worker.signal('SIGCONT');
  await eventually(async () =>
    expect(await node('node1')).toMatchObject({ alive: true, instances: { assigned: 1, leaving: 0 } }),
  );
  expect(await heldBy(stays)).toMatchObject({ id: stays.instance.id, state: 'assigned' });
  await eventually(async () => {
    const { statusCode, body } = await open(stays.instance);
    expect([statusCode, await body.text()]).toEqual([200, expect.stringContaining(stays.instance.container)]);
  });
  for (const guest of [stays, leaves]) await ask(guest, 'POST', '/end/default');
});

it('gives nothing to a host that NATS does not reach, and takes back what waits for it', async () => {
  toNats.cut();
  await eventually(async () =>
    expect(await node('node2')).toMatchObject({
      alive: true,
      state: 'active',
      avoided: [{ template: 'default', reason: expect.stringContaining('NATS does not answer it') as string }],
    }),
  );
  const before = await readyOn('node2');
  await operator.ask('PUT', '/pools/default/target', { target: RAISED });
  await eventually(async () => expect(await operator.pool('default')).toMatchObject({ ready: RAISED }));
  expect(await readyOn('node2')).toBe(before);
  toNats.join();
  await eventually(async () => expect(await node('node2')).toMatchObject({ avoided: [] }));
});

it('takes a host for lost that Valkey does not reach although NATS does, and makes up for it elsewhere', async () => {
  toValkey.cut();
  await fallSilent('node2');
  await eventually(async () => {
    expect(await node('node2')).toMatchObject({ alive: false, instances: { ready: 0 } });
    expect(await readyOn('node0', 'node1')).toBe(RAISED);
  });
  toValkey.join();
  await eventually(async () => expect(await node('node2')).toMatchObject({ alive: true, instances: { leaving: 0 } }));
});

it('makes elsewhere what a host that dies was to make, and settles its records when it is removed', async () => {
  for (const name of ['node0', 'node1']) await operator.ask('POST', `/nodes/${name}/cordon`, {});
  const worker = workers.get('node2') as Program;
  await suspend(worker);
  await operator.ask('PUT', '/pools/default/target', { target: HIGHEST });
  const warming = HIGHEST - RAISED;
  await eventually(async () => expect(await node('node2')).toMatchObject({ instances: { warming } }));
  await worker[Symbol.asyncDispose]();
  for (const name of ['node0', 'node1']) await operator.ask('POST', `/nodes/${name}/uncordon`, {});
  await fallSilent('node2');
  await eventually(async () => expect(await readyOn('node0', 'node1')).toBe(HIGHEST));
  expect((await operator.ask('DELETE', '/nodes/node2?force=true')).status).toBe(200);
  expect((await records()).filter(({ node: on }) => on === 'node2')).toEqual([]);
  expect(await operator.pool('default')).toMatchObject({ ready: HIGHEST, leaving: 0 });
  expect(await valkey.hexists('lost_nodes', 'node2')).toBe(0);
});
