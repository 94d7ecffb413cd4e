import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { LogBook, QUICK, RecordingHandlers, cleanupTask, provisionTask } from '../../test/support/queue.ts';
import type { VisitEvent } from '../domain/visit-event.ts';
import { ChildServer } from '../launcher/child-server.ts';
import { freePort } from '../launcher/tcp-ports.ts';
import type { HeldEvent } from '../pool/interfaces/event-feed.ts';
import { checkpointStream } from './checkpoint-stream.ts';
import { connectQueue } from './connection.ts';
import { forgetDeliveredLeads } from './forget-leads.ts';
import { ownStreams } from './own-streams.ts';
import { createPublisher } from './publisher.ts';
import { queueDepth } from './depth.ts';
import { JetStreamQueueAdmin } from './queue-admin.ts';
import { resetAstrayConsumers } from './astray-consumers.ts';
import { JetStreamEvents } from './event-stream.ts';
import { JetStreamWebhookFeed } from './webhook-feed.ts';
import { startWorkers } from './worker.ts';

const ENDED: VisitEvent = {
  v: 1,
  id: 'evt_1795881600123-0-3',
  type: 'ended',
  atMs: Date.UTC(2026, 10, 28, 16),
  visit: '0123456789abcdef01234567',
  sequence: 3,
  template: 'shop',
  site: 'docs.example.org',
  data: { reason: 'expired', usedMs: 90_400 },
};
const PAGE = new URL('../../docs/fleet.md', import.meta.url);

it('the rights that the documents name are enough for the whole life of tasks, events and checkpoints', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'try-it-now-nats-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const port = await freePort();
  const [block] = /^authorization \{\n(?:.*\n)*?\}\n/m.exec(await readFile(PAGE, 'utf8')) ?? [];
  if (block === undefined) throw new Error('docs/fleet.md names no rights');
  const file = join(dir, 'nats.conf');
  await writeFile(file, `listen: "127.0.0.1:${port}"\njetstream { store_dir: "${dir}" }\n${block}`);
  const server = await ChildServer.start({
    name: 'NATS',
    command: 'nats-server',
    args: ['-c', file],
    saysUp: 'Server is ready',
  });
  onTestFinished(() => server.stop());
  const log = new LogBook();
  const login = { url: `nats://127.0.0.1:${port}`, user: 'try-it-now', password: 'change-me' };
  const connection = await connectQueue({ ...login, log });
  const handlers = new RecordingHandlers();
  const [doomed, cleanup, fine] = [provisionTask(), cleanupTask(), provisionTask()];
  handlers.work = ({ task }) => {
    if (task.id === doomed.id) throw new Error('it fails');
  };
  const workers = await startWorkers({ connection, node: 'node0', count: 2, handlers, log, policy: QUICK });
  const queue = createPublisher({ connection, log });
  await queue.publishProvision([doomed, fine]);
  await queue.publishCleanup(cleanup);
  const admin = new JetStreamQueueAdmin(connection);
  await eventually(async () => expect(await queueDepth(connection)).toMatchObject({ total: 0, dead: 1 }));
  const [dead] = await admin.listDead(1);
  handlers.work = () => undefined;
  await admin.retry(dead?.sequence ?? 0);
  await eventually(() => expect(handlers.ids().filter((id) => id === doomed.id)).toHaveLength(QUICK.attempts + 1));
  await admin.peek(1);
  await admin.purge('dead');
  expect(await queue.leftovers()).toEqual([]);
  expect(await resetAstrayConsumers(connection, () => Promise.resolve(true))).toEqual([]);

  const events = new JetStreamEvents({ connection, log });
  const feed = new JetStreamWebhookFeed({ connection, webhook: 'crm', ackWaitMs: 30_000, window: 10 });
  await feed.open();
  expect(await feed.inHands()).toBe(0);
  await events.publish(ENDED);
  await events.publish({ ...ENDED, id: 'evt_1795881600124-0-3' });
  const held: HeldEvent[] = [];
  for await (const event of feed.pull(2, AbortSignal.timeout(60_000))) held.push(event);
  expect(held.map(({ event }) => event?.type)).toEqual(['ended', 'ended']);
  await held[0]?.settle();
  if (held[1] !== undefined) await feed.deadLetter(held[1], { reason: 'it is not taken', attempts: 1 });
  await held[1]?.settle();
  expect(await forgetDeliveredLeads(connection, ['crm'])).toBe(0);
  const share = checkpointStream({ ...login, log });
  const transfer = { onBytes: () => undefined, signal: AbortSignal.timeout(60_000) };
  await share.put('0123456789abcdef', file, transfer);
  await share.fetch('0123456789abcdef', join(dir, 'fetched'), transfer);
  await share.remove('0123456789abcdef');
  expect(await share.list()).toEqual(new Map());
  expect((await ownStreams(connection)).map(({ name }) => name).sort()).toEqual([
    'CHECKPOINTS',
    'PROVISIONING',
    'PROVISIONING_DEAD',
    'VISIT_EVENTS',
    'VISIT_EVENTS_DEAD',
  ]);
  // As the doctor asks of each stream in a cluster.
  expect(await connection.manager.consumers.list('PROVISIONING_DEAD').next()).toEqual([]);
  await workers.stop(10_000);
  await connection.close();
  expect(log.lines.filter(({ message, fields }) => /may not/.test(`${message} ${String(fields['reason'])}`))).toEqual(
    [],
  );
});
