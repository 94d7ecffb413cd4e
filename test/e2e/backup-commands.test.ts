import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, readFile, readdir, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it, onTestFinished } from 'vitest';
import { newInstanceId } from '../../src/domain/ids.ts';
import type { VisitEvent } from '../../src/domain/visit-event.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { eventsOf } from '../../src/pool/publish-events.ts';
import { JetStreamEvents } from '../../src/queue/event-stream.ts';
import { DEAD_EVENT_STREAM, EVENT_STREAM } from '../../src/queue/names.ts';
import { JetStreamWebhookAdmin } from '../../src/queue/webhook-admin.ts';
import { JetStreamWebhookFeed } from '../../src/queue/webhook-feed.ts';
import { keys } from '../../src/store/keys.ts';
import { dumpOf } from '../support/dump.ts';
import { eventually } from '../support/eventually.ts';
import { MAIN, Program } from '../support/program.ts';
import { TestNats } from '../support/queue.ts';
import { silent, startStore, type TestStore } from '../support/store.ts';

/** One that is backed up, and one on another host. */
interface Host extends AsyncDisposable {
  readonly store: TestStore;
  readonly nats: TestNats;
  readonly env: Readonly<Record<string, string>>;
}

async function startHost(dir: string): Promise<Host> {
  const [store, nats] = await Promise.all([startStore(), TestNats.start()]);
  return {
    store,
    nats,
    env: {
      CONTAINER_MODE: 'simulated',
      VALKEY_ADDR: `${store.address.host}:${store.address.port}`,
      NATS_URL: nats.url,
      SERVER_PORT: String(await freePort()),
      CHECKPOINT_DIR: join(dir, 'checkpoints'),
    },
    [Symbol.asyncDispose]: async () => {
      await nats[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}

let dir: string;
let old: Host;
let fresh: Host;
/** Of the old host, with everything in it. */
let file: string;
let saved: ReadonlyMap<string, string>;
const events = ['waiting', 'settled', 'dead'].map((_, at) => event(at));
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tin-backup-'));
  [old, fresh] = await Promise.all([startHost(dir), startHost(dir)]);
  await decide(old);
  await keepEvents(old);
  file = join(dir, 'state.tar.gz');
  expect(await run(['backup', file], old)).toMatchObject({ code: 0 });
  saved = await decisions(old);
});
afterAll(async () => {
  await fresh[Symbol.asyncDispose]();
  await old[Symbol.asyncDispose]();
  await rm(dir, { recursive: true });
});
beforeEach(() => fresh.store.valkey.flushall());

function event(at: number): VisitEvent {
  const base = { v: 1 as const, id: newInstanceId(), template: 'hello', site: 'direct', atMs: Date.now() };
  const [made] = eventsOf(`${at}-0`, { ...base, kind: 'ended', sequence: 4, reason: 'released', usedMs: 1_000 });
  return made ?? expect.fail();
}

async function decide({ store }: Host): Promise<void> {
  await store.controls.pause('hello', 'Back at three');
  await store.controls.setTarget('hello', 7);
  await store.networkRules.put('ban', {
    network: '203.0.113.7/32',
    reason: 'Burns the pool',
    forMs: 9e7,
  });
  await store.networkRules.put('allowance', { network: '198.51.100.0/24', reason: 'A class', held: 30, forMs: 9e7 });
  for (const on of ['hello', 'odoo']) {
    await store.audit.record({ who: 'ann', action: 'pause', on, outcome: 'done' }, 'admin');
    await store.audit.record({ who: 'bob', action: 'pause', on, outcome: 'done' }, 'operator');
  }
  await store.valkey.hset(keys.funnel('2026-11-28'), 'hello direct clicked', '12');
  await store.valkey.pexpireat(keys.funnel('2026-11-28'), Date.now() + 8e7);
  for (const [name, digest] of Object.entries(IMAGES))
    await store.imagePins.agree({ name, id: `sha256:of-${name}`, digest }, { decides: true, triedFirst: true });
  for (const name of ['held:1', 'built:1'])
    await store.imageUpdates.decide(name, { held: { v: 1, atMs: Date.now(), reason: 'as it is' } });
}

/** By name, its digest: what was built or loaded has none, and a third nobody has decided on. */
const IMAGES = { 'held:1': 'sha256:d1', 'built:1': undefined, 'other:1': 'sha256:d3' } as const;

/** What names of images stand for. */
async function pins({ store }: Host): Promise<Readonly<Record<string, string>>> {
  const found = await store.imagePins.of(Object.keys(IMAGES));
  return Object.fromEntries([...found].map(([name, { id }]) => [name, id]));
}

async function keepEvents({ nats }: Host): Promise<void> {
  const connection = await nats.connect();
  const feed = new JetStreamWebhookFeed({ connection, webhook: 'crm', ackWaitMs: 60_000, window: 10 });
  await feed.open();
  const stream = new JetStreamEvents({ connection, log: silent });
  const [waiting, settled, dead] = events;
  // In the order in which they are taken.
  for (const each of [settled, dead, waiting]) await stream.publish(each ?? expect.fail());
  for await (const held of feed.pull(2, new AbortController().signal)) {
    if (held.event?.id === dead?.id) await feed.deadLetter(held, { reason: 'answered 500', attempts: 3 });
    await held.settle();
  }
}

/** What a backup holds of the store. */
async function decisions({ store }: Host): Promise<ReadonlyMap<string, string>> {
  const names = [keys.poolControl('hello'), keys.bans, keys.allowances, keys.audit, keys.funnel('2026-11-28')];
  const all = await dumpOf(store.valkey);
  return new Map(names.map((name) => [name, all.get(name) ?? '']));
}

async function run(
  args: readonly string[],
  { env }: Pick<Host, 'env'>,
): Promise<{ readonly code: number | null; readonly output: string }> {
  await using program = new Program(args, env);
  return { code: await program.exitCode, output: program.output };
}

/** Nothing is left beside it, half done. */
async function expectTidy(): Promise<void> {
  expect((await readdir(dir)).filter((name) => name.startsWith('.'))).toEqual([]);
}

it('saves what nothing makes again, in a file that others cannot read', async () => {
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const { code, output } = await run(['backup', join(dir, 'again.tar.gz'), '--json'], old);
  expect(code).toBe(0);
  expect(JSON.parse(output)).toMatchObject({
    pool_control: 1,
    image_update: 2,
    bans: 1,
    allowances: 1,
    audit: 4,
    funnel: 1,
    events: 2,
    checkpoints: 0,
  });
  await expectTidy();
});

it('has images that are tried first stand for what they did, where any host can have that', async () => {
  const held = { 'held:1': 'sha256:of-held:1' };
  expect((await run(['restore', file], fresh)).code).toBe(0);
  expect(await pins(fresh)).toEqual(held);
  expect((await fresh.store.imageUpdates.read(['held:1']))[0]?.held?.reason).toBe('as it is');
  // What others stand for there is the host's, and no reason to refuse a restore.
  await fresh.store.valkey.flushall();
  for (const name of Object.keys(IMAGES))
    await fresh.store.imagePins.agree(
      { name, id: 'sha256:own', digest: undefined },
      { decides: true, triedFirst: true },
    );
  expect((await run(['restore', file], fresh)).code).toBe(0);
  expect(await pins(fresh)).toEqual({ 'built:1': 'sha256:own', 'other:1': 'sha256:own', ...held });
});

it('moves it to another host, whose webhooks are told what they had not taken', async () => {
  const dry = await run(['restore', file, '--dry-run'], fresh);
  expect(dry).toEqual({ code: 0, output: expect.stringContaining('Nothing would be replaced') as string });
  expect((await decisions(fresh)).get(keys.audit)).toBe('');

  const done = await run(['restore', file], fresh);
  expect(done).toEqual({ code: 0, output: expect.stringContaining('Restored.') as string });
  expect(await decisions(fresh)).toEqual(saved);
  expect(await fresh.store.valkey.pttl(keys.funnel('2026-11-28'))).toBeGreaterThan(0);
  expect((await fresh.store.controls.read(['hello'])).get('hello')).toMatchObject({ mode: 'paused', target: 7 });
  await expectTidy();

  const connection = await fresh.nats.connect();
  const admin = new JetStreamWebhookAdmin(connection);
  expect(await admin.place('crm')).toEqual({ pending: 1, inHands: 0, dead: 1 });
  expect(await admin.deadEvents(10)).toMatchObject([{ visit: events[2]?.visit, reason: 'answered 500', attempts: 3 }]);

  // Cut off and repeated, it tells nobody anything twice.
  expect(await run(['restore', file], fresh)).toEqual({
    code: 1,
    output: expect.stringContaining('state of its own') as string,
  });
  expect((await run(['restore', file, '--replace', '--yes'], fresh)).code).toBe(0);
  expect(await decisions(fresh)).toEqual(saved);
  for (const [stream, messages] of [
    [EVENT_STREAM, 1],
    [DEAD_EVENT_STREAM, 1],
  ] as const)
    expect((await connection.manager.streams.info(stream)).state.messages).toBe(messages);
});

it('replaces what is there as a whole, and only when that is said', async () => {
  await fresh.store.controls.pause('odoo', undefined);
  const before = await dumpOf(fresh.store.valkey);
  expect(await run(['restore', file], fresh)).toEqual({
    code: 1,
    output: expect.stringContaining(keys.poolControl('odoo')) as string,
  });
  expect(await run(['restore', file, '--replace'], fresh)).toEqual({
    code: 1,
    output: expect.stringContaining('say so with --yes') as string,
  });
  expect(await dumpOf(fresh.store.valkey)).toEqual(before);
  expect((await run(['restore', file, '--replace', '--yes'], fresh)).code).toBe(0);
  expect(await fresh.store.valkey.exists(keys.poolControl('odoo'))).toBe(0);
});

it('changes nothing while a server answers', async () => {
  const server = createServer((_, response) => response.end()).listen(Number(fresh.env['SERVER_PORT']), '127.0.0.1');
  await once(server, 'listening');
  try {
    expect(await run(['restore', file], fresh)).toEqual({
      code: 1,
      output: expect.stringContaining('a server answers at') as string,
    });
  } finally {
    server.close();
  }
  expect(await fresh.store.valkey.exists(keys.audit)).toBe(0);
});

it('refuses a file that is not whole, and changes nothing', async () => {
  const { size } = await stat(file);
  const text = await readFile(file);
  const cut = join(dir, 'cut.tar.gz');
  await copyFile(file, cut);
  await truncate(cut, Math.floor(size / 2));
  const at = Math.floor(size / 2);
  const flipped = Buffer.concat([text.subarray(0, at), Buffer.from([255 - (text[at] ?? 0)]), text.subarray(at + 1)]);
  await writeFile(join(dir, 'flipped.tar.gz'), flipped);
  await writeFile(join(dir, 'text.tar.gz'), 'a letter\n');
  for (const name of ['cut', 'flipped', 'text', 'missing'])
    expect(await run(['restore', join(dir, `${name}.tar.gz`)], fresh)).toEqual({
      code: 1,
      output: expect.stringContaining('Nothing was restored') as string,
    });
  expect(await fresh.store.valkey.exists(keys.audit)).toBe(0);
  await expectTidy();
});

it('says where it cannot write, before anything is read', async () => {
  const nothing = { env: { ...old.env, VALKEY_ADDR: '127.0.0.1:9' } };
  for (const file of [join(dir, 'nowhere', 'state.tar.gz'), dir])
    expect(await run(['backup', file], nothing)).toMatchObject({
      code: 78,
      output: expect.stringContaining('cannot be written') as string,
    });
  await eventually(expectTidy);
});

it.each([
  ['Ctrl-C', (terminal: ChildProcess) => terminal.stdin?.write('\x03')],
  ['its terminal is closed', (terminal: ChildProcess) => terminal.kill('SIGKILL')],
  ['SIGTERM', (_: ChildProcess, pid: number) => process.kill(pid, 'SIGTERM')],
])('leaves nothing unpacked where it ends at its question by %s', async (_, end) => {
  const before = await decisions(old);
  const command = `echo "pid=$$"; exec ${process.execPath} ${MAIN} restore ${file} --replace`;
  const env = { PATH: process.env['PATH'] ?? '', ...old.env };
  const terminal = spawn('script', ['-qfec', command, '/dev/null'], { stdio: 'pipe', env });
  onTestFinished(() => void terminal.kill('SIGKILL'));
  const ended = once(terminal, 'close');
  let shown = '';
  terminal.stdout.setEncoding('utf8').on('data', (text: string) => (shown += text));
  await eventually(() => expect(shown).toContain('? [y/N] '));
  expect((await readdir(dir)).filter((name) => name.startsWith('.'))).toHaveLength(1);
  end(terminal, Number(/pid=(\d+)/.exec(shown)?.[1]));
  await ended;
  await eventually(expectTidy);
  expect(await decisions(old)).toEqual(before);
});

it('removes what a killed one left beside the file a day ago, and nothing else', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tin-backup-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const left = ['.state.tar.gz.0123456789ab.unfinished', '.other.tar.gz.0123456789ab.unfinished.tar.gz'];
  const stay = ['.state.tar.gz.ba9876543210.unfinished', '.profile', 'state.0123456789ab.unfinished'];
  for (const name of [...left, ...stay]) await writeFile(join(folder, name), 'what visitors told');
  const aDayAgo = Date.now() / 1_000 - 25 * 3_600;
  for (const name of [...left, ...stay.slice(1)]) await utimes(join(folder, name), aDayAgo, aDayAgo);
  expect(await run(['backup', join(folder, 'state.tar.gz')], old)).toMatchObject({ code: 0 });
  expect((await readdir(folder)).sort()).toEqual([...stay, 'state.tar.gz'].sort());
});
