import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { visitName } from '../../src/domain/ids.ts';
import { sleep } from '../../src/lifecycle/sleep.ts';
import { WEBHOOK_POLICY } from '../../src/webhooks/policy.ts';
import { startBalancedServers, type BalancedServers } from '../support/balanced-servers.ts';
import { Cleanups, ownFolder } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { PatientCrowd, type HandedOut } from '../support/patient-crowd.ts';
import { readEvents } from '../support/sse.ts';
import { discrepanciesSoFar } from '../support/state-audit.ts';
import { WebhookReceiver } from '../support/webhook-receiver.ts';

const PATIENT = { timeoutMs: 120_000 };
const NODE = 'node:node0';
const EVERY_MS = 100;

let receiver: WebhookReceiver;
let world: BalancedServers;
const cleanups = new Cleanups('the rolling restart');
beforeAll(async () => {
  const dir = await ownFolder(cleanups, 'tin-rolling-');
  receiver = await WebhookReceiver.start();
  cleanups.push(() => receiver[Symbol.asyncDispose]());
  await writeFile(
    join(dir, 'webhooks.yaml'),
    `webhooks:\n  - {name: crm, url: '${receiver.url}', secret: {env: CRM_SECRET}, timeout: 10s}\n`,
  );
  world = await startBalancedServers({
    servers: 3,
    ports: 300,
    templates: [{ name: 'hello', image: 'localhost/unused', port: 80, pool: { target: 40, max: 150 } }],
    env: {
      WEBHOOKS_FILE: join(dir, 'webhooks.yaml'),
      CRM_SECRET: `whsec_${Buffer.alloc(32, 7).toString('base64')}`,
      CONTAINER_PORT_COOLDOWN: '10s',
      HELD_LIMIT: '0',
      HELD_LIMIT_NETWORK: '0',
      GATE_MODE: 'off',
      SHUTDOWN_DRAIN: '2s',
    },
  });
  cleanups.push(() => world[Symbol.asyncDispose]());
});
afterAll(() => cleanups[Symbol.asyncDispose]());

/** As an EventSource: comes back whenever its stream ends. */
async function follow(url: string, until: AbortSignal): Promise<{ readonly streams: number; readonly ended: boolean }> {
  let streams = 0;
  while (!until.aborted) {
    try {
      const answer = await fetch(url, { signal: until });
      if (answer.ok) streams += 1;
      for await (const { event } of readEvents(answer)) if (event === 'ended') return { streams, ended: true };
    } catch {
      // Nobody there, or cut: it comes back.
    }
    await sleep(EVERY_MS, until);
  }
  return { streams, ended: false };
}

async function onlyLeader(at: number): Promise<void> {
  const leading = await Promise.all(world.servers.map((server) => server.leads()));
  expect(leading.map((roles) => roles.includes(NODE))).toEqual(world.servers.map((_, index) => index === at));
}

it('Servers restarted one after the other, and one that is killed, cost nobody who asks twice anything', async () => {
  const { servers, auditTarget } = world;
  const crowd = new PatientCrowd(world);
  const kept = await eventually(async () => {
    const instance = await crowd.acquire();
    expect(instance).toBeDefined();
    return instance as HandedOut;
  }, PATIENT);
  const over = new AbortController();
  const watching = follow(kept.countdown_url.replace('localhost', '127.0.0.1'), over.signal);
  const browsing = crowd.browse(kept, over.signal);
  const coming = crowd.come();

  for (const [at, server] of servers.entries()) {
    expect(await server.stop(), server.output).toBe(0);
    await server.start();
    // It started last.
    await eventually(() => onlyLeader(at), PATIENT);
  }
  await servers[2]?.kill();
  await eventually(async () => {
    const leading = await Promise.all(servers.slice(0, 2).map((server) => server.leads()));
    expect(leading.filter((roles) => roles.includes(NODE))).toHaveLength(1);
  }, PATIENT);
  await servers[2]?.start();

  crowd.stop();
  await coming;
  over.abort();
  expect(crowd.lost).toEqual([]);
  expect(crowd.handedOut.size).toBeGreaterThan(20);
  expect(await browsing).toEqual([]);
  const { streams, ended } = await watching;
  expect(ended).toBe(false);
  // Whichever server it was at, that one was restarted.
  expect(streams).toBeGreaterThan(1);
  // A write cuts every WebSocket: the first server's was the only one.
  const writes = servers.flatMap(({ output }) => output.match(/"Proxy configuration written"/g) ?? []);
  expect(writes).toHaveLength(1);

  const visits = [...crowd.handedOut.keys()].filter((id) => id !== kept.id).map(visitName);
  await eventually(() => {
    for (const visit of visits) {
      // Discovery tells of a page a moment later, when the visit may be over.
      const steps = receiver.taken(visit).filter((kind) => kind !== 'visit.first_page');
      const [clicked, handedOver, ...rest] = steps;
      expect([clicked, handedOver, rest.at(-1)]).toEqual(['visit.clicked', 'visit.handed_over', 'visit.ended']);
      expect(new Set(rest.slice(0, -1))).toEqual(new Set(['visit.extended']));
    }
  }, PATIENT);
  // What comes twice is the same message, and nothing comes twice but what the one that was killed had under way.
  const bodies = new Map(receiver.received.map(({ id, raw }) => [id, raw]));
  expect(receiver.received.filter(({ id, raw }) => bodies.get(id) !== raw)).toEqual([]);
  expect(receiver.received.length - bodies.size).toBeLessThanOrEqual(WEBHOOK_POLICY.concurrency);
  const targets = auditTarget.targets;
  await eventually(async () => expect(await discrepanciesSoFar({ ...auditTarget, targets })).toEqual([]), PATIENT);
});
