import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { visitName } from '../../src/domain/ids.ts';
import { launchSimulatedEngine } from '../../src/runtime/simulated/launch.ts';
import { Cleanups, ownFolder } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { ServerProcess } from '../support/server-process.ts';
import { WebhookReceiver } from '../support/webhook-receiver.ts';
import type { Side } from '../support/wiretap.ts';

const PATIENT = { timeoutMs: 90_000 };
const ENDED = ['visit.clicked', 'visit.handed_over', 'visit.ended'];

const cleanups = new Cleanups('the webhooks');
let server: ServerProcess;
let receiver: WebhookReceiver;
beforeAll(async () => {
  const dir = await ownFolder(cleanups, 'tin-webhooks-');
  receiver = await WebhookReceiver.start();
  cleanups.push(() => receiver[Symbol.asyncDispose]());
  await writeFile(
    join(dir, 'webhooks.yaml'),
    `webhooks:\n  - {name: crm, url: '${receiver.url}', secret: {env: CRM_SECRET}, timeout: 2s}\n`,
  );
  const engine = await launchSimulatedEngine({ socketPath: join(dir, 'engine.sock') });
  cleanups.push(() => engine[Symbol.asyncDispose]());
  server = await ServerProcess.launch({
    engine: 'simulated',
    engineSocket: engine.socketPath,
    ports: 40,
    templates: [{ name: 'hello', image: 'localhost/unused', port: 80, pool: { target: 4, max: 12 } }],
    env: {
      WEBHOOKS_FILE: join(dir, 'webhooks.yaml'),
      CRM_SECRET: `whsec_${Buffer.alloc(32, 7).toString('base64')}`,
      CONTAINER_PORT_COOLDOWN: '10s',
      RATE_LIMIT_HOURLY: '0',
    },
  });
  cleanups.push(() => server[Symbol.asyncDispose]());
});
afterAll(() => cleanups[Symbol.asyncDispose]());

async function acquired(): Promise<string> {
  return eventually(async () => {
    const answer = await fetch(`${server.api}/api/v1/demo/acquire`, { method: 'POST' });
    expect(answer.status).toBe(201);
    return ((await answer.json()) as { id: string }).id;
  }, PATIENT);
}

/** A visit from click to end. Who is killed meanwhile is there again before the visitor ends it. */
async function visit(): Promise<string> {
  const id = await acquired();
  await eventually(async () => {
    const answer = await fetch(`${server.api}/api/v1/demo/${id}`, { method: 'DELETE' });
    expect(answer.status).toBe(204);
  }, PATIENT);
  return visitName(id);
}

it.each<[what: string, side: Side, exchange: RegExp]>([
  ['before NATS has an event', 'request', /^nats publish visit_events\.happened/],
  ['after NATS has an event, unknown to the server', 'reply', /^nats publish visit_events\.happened/],
  ['before the outbox forgets an event', 'request', /^valkey XTRIM/],
  ['before NATS hears that the receiver took an event', 'request', /^nats ack webhook-crm/],
])('A server that is killed %s loses none, and keeps their order', async (_, side, exchange) => {
  const sprung = server.tripwire.arm({ side, nth: 1, pid: server.pid, matches: (name) => exchange.test(name) });
  const first = acquired();
  expect(await sprung).toMatch(exchange);
  await server.start();
  const id = await first;
  await eventually(async () => {
    expect((await fetch(`${server.api}/api/v1/demo/${id}`, { method: 'DELETE' })).status).toBe(204);
  }, PATIENT);
  const after = await visit();
  await eventually(() => {
    expect(receiver.taken(visitName(id))).toEqual(ENDED);
    expect(receiver.taken(after)).toEqual(ENDED);
  }, PATIENT);
});

it('A receiver that is down, answers 500 and hangs in turn is told all in order, by the same ids', async () => {
  await receiver.down();
  const visits = [await visit(), await visit()];
  let answers = 0;
  receiver.answer = () => ((answers += 1) <= 3 ? 500 : answers <= 5 ? 'hang' : 200);
  await receiver.up();
  await eventually(() => expect(answers).toBeGreaterThan(5), PATIENT);
  visits.push(await visit());
  await eventually(() => {
    for (const name of visits) expect(receiver.taken(name)).toEqual(ENDED);
  }, PATIENT);
  for (const name of visits) {
    const events = receiver.received.filter((each) => each.visit === name);
    expect(new Map(events.map(({ id, raw }) => [id, raw])).size).toBe(3);
    for (const { id, raw } of events)
      expect(events.filter((each) => each.id === id).every((each) => each.raw === raw)).toBe(true);
  }
});
