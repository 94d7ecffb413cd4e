import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { LogBook } from '../../test/support/queue.ts';
import { fillPool, startStore, type TestStore } from '../../test/support/store.ts';
import { template } from '../../test/support/templates.ts';
import type { Instance } from '../domain/instance.ts';
import { TryItNowError } from '../domain/errors.ts';
import type { StreamEvent } from '../domain/visit-event.ts';
import { keys } from '../store/keys.ts';
import { ValkeyShareCounts } from '../store/share-counts.ts';
import { Scripts } from '../store/scripts.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { Admission } from './admission.ts';
import type { EventStream } from './interfaces/event-stream.ts';
import { ShareWatch } from './share-watch.ts';

const HOUR_MS = 3_600_000;
const BURNER = { clientKey: '203.0.113.7', owner: 'visitor:burner', site: 'direct' };

let store: TestStore;
beforeAll(async () => {
  store = await startStore();
});
afterAll(() => store[Symbol.asyncDispose]());
beforeEach(() => store.clear());

function server(name = 'one', world = { now: 1_800_000_000_000 }, stream?: EventStream) {
  const log = new LogBook();
  const metrics = new Metrics({ templates: ['tiny'], version: 'test' });
  const shareCounts = new ValkeyShareCounts(store.valkey, new Scripts(store.valkey), { now: () => world.now }, log);
  const watch = new ShareWatch({
    shareCounts,
    turn: { take: () => Promise.resolve(name === 'one') },
    admission: new Admission({ held: { perClient: 2, perNetwork: 8 } }),
    observer: metrics,
    events: stream === undefined ? undefined : { stream, observer: metrics },
    clock: { now: () => world.now },
    log,
  });
  const told = () => log.lines.filter(({ message }) => message.startsWith('Somebody takes'));
  return { watch, shareCounts, metrics, world, told };
}

it('adds up what several servers see, tells of it once, and again after an hour of quiet', async () => {
  const { watch, shareCounts, metrics, world, told } = server();
  const other = server('two', world);
  for (let count = 0; count < 5; count += 1) {
    watch.noteTaken(BURNER);
    other.watch.noteTaken(BURNER);
  }
  await watch.round();
  expect(told()).toEqual([]);
  await other.watch.round();
  await watch.round();
  await watch.round();
  expect(told()).toHaveLength(1);
  expect(told()[0]?.fields).toMatchObject({
    kind: 'address',
    who: '203.0.113.7',
    taken: 10,
    command: "try-it-now bans add 203.0.113.7/32 --for 1d --reason 'Burns the pool' --end",
  });
  expect(await metrics.text()).toContain('try_it_now_suspects_total{kind="address",why="share"} 1');
  expect(await shareCounts.suspects()).toMatchObject([{ who: '203.0.113.7', why: 'share', sinceMs: world.now }]);

  world.now += 2 * HOUR_MS;
  for (let count = 0; count < 30; count += 1) watch.noteRefused(BURNER);
  await watch.round();
  expect(told()).toHaveLength(2);
  expect(await shareCounts.suspects()).toMatchObject([{ why: 'refused', taken: 0, sinceMs: world.now }]);
  world.now += 25 * HOUR_MS;
  expect(await shareCounts.suspects()).toEqual([]);
});

it('brings who was found to the stream of events, once it takes them', async () => {
  const stream = { refuses: true, stored: [] as StreamEvent[] };
  const { watch, world } = server('one', undefined, {
    publish: (event) => {
      if (stream.refuses) return Promise.reject(new TryItNowError('queue_unavailable', 'NATS is away'));
      stream.stored.push(event);
      return Promise.resolve();
    },
  });
  for (let count = 0; count < 10; count += 1) watch.noteTaken(BURNER);
  await expect(watch.round()).rejects.toMatchObject({ code: 'queue_unavailable' });
  world.now += 60_000;
  stream.refuses = false;
  await watch.round();
  await watch.round();
  expect(stream.stored).toMatchObject([
    {
      type: 'suspected',
      atMs: world.now - 60_000,
      data: { suspect: { kind: 'address', who: '203.0.113.7', why: 'share', taken: 10 } },
    },
  ]);
});

it('sees which visits ended without a page', async () => {
  await fillPool(store, template());
  const [id = ''] = await store.valkey.zrange(keys.ready('tiny'), 0, 0);
  const found = (await store.claimStore.findMany([id])).get(id);
  const visit = { ...(found?.instance as Instance), client: '203.0.113.7', owner: 'visitor:burner' };
  const { watch, shareCounts } = server();
  watch.noteEnded(visit);
  watch.noteEnded({ ...visit, noted: ',first_page,' });
  // No visitor's doing, nobody's business, and what others may open.
  watch.noteEnded({ ...visit, reason: 'container_lost' });
  watch.noteEnded({ ...visit, client: '127.0.0.1' });
  watch.noteEnded({ ...visit, owner: 'api:203.0.113.7' });
  await watch.round();
  watch.noteEnded({ ...visit, noted: ',first_page,', reason: 'disk_limit' });
  await watch.round();
  const counts = await shareCounts.recent();
  expect(['ended', 'unopened', 'harmful'].map((figure) => counts.get(`address 203.0.113.7 ${figure}`))).toEqual([
    3, 1, 1,
  ]);
});

it('keeps itself in bounds: new names find no room, those there are go on counting, and all of it ends', async () => {
  const { shareCounts } = server();
  const many = Array.from({ length: 5_001 }, (_, at): [string, number] => [`address 2001:db8:${at}::/64 taken`, 1]);
  await shareCounts.add(new Map(many));
  await shareCounts.add(
    new Map([
      ['address late taken', 1],
      ['address 2001:db8:7::/64 taken', 2],
    ]),
  );
  const counts = await shareCounts.recent();
  expect([counts.size, counts.get('address late taken'), counts.get('address 2001:db8:7::/64 taken')]).toEqual([
    5_000,
    undefined,
    3,
  ]);
  const [key = ''] = await store.valkey.keys('shares:*');
  expect(await store.valkey.pttl(key)).toBeGreaterThan(0);

  await store.valkey.hset(keys.suspects, 'address x', 'damaged');
  expect(await shareCounts.suspects()).toEqual([]);
});
