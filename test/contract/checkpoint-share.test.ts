import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sharedFolder } from '../../src/checkpoints/shared-folder.ts';
import type { CheckpointShare, Transfer } from '../../src/pool/interfaces/checkpoint-share.ts';
import { checkpointStream } from '../../src/queue/checkpoint-stream.ts';
import { modeOf } from '../support/checkpoint-files.ts';
import { CuttableWire } from '../support/cuttable-wire.ts';
import { eventually } from '../support/eventually.ts';
import { TestNats } from '../support/queue.ts';
import { silent } from '../support/store.ts';

/** More than one piece in each of them, and no whole number of pieces. */
const ARCHIVE = randomBytes(5_300_001);
const [A, B] = ['a'.repeat(16), 'b'.repeat(16)] as const;

let folder: string;
let nats: TestNats;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tin-share-'));
  await mkdir(join(folder, 'share'), { mode: 0o700 });
  await writeFile(join(folder, 'archive'), ARCHIVE);
  nats = await TestNats.start();
});
afterAll(async () => {
  await nats[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const transfer = (overrides: Partial<Transfer> = {}): Transfer => ({
  onBytes: () => undefined,
  signal: new AbortController().signal,
  ...overrides,
});
const newFile = (): string => join(folder, randomBytes(8).toString('hex'));

async function inFolder(): Promise<number> {
  const files = await readdir(join(folder, 'share'));
  const sizes = await Promise.all(files.map(async (file) => (await stat(join(folder, 'share', file))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function inStream(): Promise<number> {
  const { manager } = await nats.connect();
  return (await manager.streams.info('CHECKPOINTS')).state.bytes;
}

/** With how many bytes it takes of its disk. */
const shares: readonly (readonly [string, () => CheckpointShare, () => Promise<number>])[] = [
  ['a folder', () => sharedFolder(join(folder, 'share')), inFolder],
  ['a stream of NATS', () => checkpointStream({ url: nats.url, log: silent }), inStream],
];

describe.each(shares)('%s that nodes have in common', (_, open, taken) => {
  it('gives back what was left in it, to its owner alone, and tells how far it is', async () => {
    const share = open();
    expect(await share.list()).toEqual(new Map());
    const sent: number[] = [];
    await share.put(A, join(folder, 'archive'), transfer({ onBytes: (bytes) => sent.push(bytes) }));
    expect(await share.list()).toEqual(new Map([[A, ARCHIVE.length]]));
    const [file, received] = [newFile(), [] as number[]];
    await open().fetch(A, file, transfer({ onBytes: (bytes) => received.push(bytes) }));
    expect((await readFile(file)).equals(ARCHIVE)).toBe(true);
    expect(await modeOf(file)).toBe('600');
    for (const told of [sent, received]) {
      expect(told.at(-1)).toBe(ARCHIVE.length);
      expect(told.length).toBeGreaterThan(4);
    }
  });

  it('has the newer one in place of the older, and others beside it, until they are removed', async () => {
    const share = open();
    await writeFile(join(folder, 'small'), 'small');
    await share.put(A, join(folder, 'archive'), transfer());
    await share.put(A, join(folder, 'small'), transfer());
    await share.put(B, join(folder, 'archive'), transfer());
    const file = newFile();
    await share.fetch(A, file, transfer());
    expect(await readFile(file, 'utf8')).toBe('small');
    await share.remove(A);
    await share.remove(A);
    expect(await share.list()).toEqual(new Map([[B, ARCHIVE.length]]));
    await expect(share.fetch(A, newFile(), transfer())).rejects.toMatchObject({ code: 'unknown_checkpoint' });
    await share.remove(B);
  });

  it('has nothing of what was cut short on its way in', async () => {
    const share = open();
    const stopped = new AbortController();
    const stop = (): void => stopped.abort(new Error('stopped half way'));
    const cut = share.put(A, join(folder, 'archive'), transfer({ onBytes: stop, signal: stopped.signal }));
    await expect(cut).rejects.toThrow();
    expect(await share.list()).toEqual(new Map());
    expect(await taken()).toBe(0);
    await expect(share.fetch(A, newFile(), transfer())).rejects.toMatchObject({ code: 'unknown_checkpoint' });
    // Nor does it get into the next one.
    await share.put(A, join(folder, 'archive'), transfer());
    const file = newFile();
    await share.fetch(A, file, transfer());
    expect((await readFile(file)).equals(ARCHIVE)).toBe(true);
    await share.remove(A);
    expect(await taken()).toBe(0);
  });

  it('keeps what is whole when it is tidied', async () => {
    const share = open();
    await share.put(A, join(folder, 'archive'), transfer());
    await share.tidy();
    expect(await share.list()).toEqual(new Map([[A, ARCHIVE.length]]));
    await share.remove(A);
    await share.tidy();
  });
});

describe('a folder that nodes have in common', () => {
  it('is refused while others may enter it, or it is not mounted', async () => {
    const open = join(folder, 'open');
    await mkdir(open);
    await chmod(open, 0o755);
    await expect(sharedFolder(open).put(A, join(folder, 'archive'), transfer())).rejects.toMatchObject({
      code: 'checkpoint_share_unavailable',
      message: expect.stringContaining('chmod 700') as string,
    });
    expect(await readdir(open)).toEqual([]);
    await expect(sharedFolder(join(folder, 'missing')).list()).rejects.toMatchObject({
      code: 'checkpoint_share_unavailable',
      message: expect.stringContaining('is it mounted?') as string,
    });
  });

  it('is rid of what a kill left when it is tidied, once nobody can be at it any more', async () => {
    const [old, fresh] = ['0', '1'].map((digit) => join(folder, 'share', `.${digit.repeat(16)}`)) as [string, string];
    for (const draft of [old, fresh]) await writeFile(draft, 'half');
    const longAgo = Date.now() / 1_000 - 7_200;
    await utimes(old, longAgo, longAgo);
    await sharedFolder(join(folder, 'share')).tidy();
    expect(await readdir(join(folder, 'share'))).toEqual([`.${'1'.repeat(16)}`]);
    await rm(fresh);
  });
});

describe('a stream of NATS that nodes have in common', () => {
  it('is rid of what a kill left when it is tidied', async () => {
    const share = checkpointStream({ url: nats.url, log: silent });
    await share.put(B, join(folder, 'archive'), transfer());
    const whole = await inStream();
    const { jetstream } = await nats.connect();
    await jetstream.publish(`checkpoints.${A}.pieces`, randomBytes(100_000));
    expect(await inStream()).toBeGreaterThan(whole);
    await share.tidy();
    expect(await inStream()).toBe(whole);
    expect(await share.list()).toEqual(new Map([[B, ARCHIVE.length]]));
    await share.remove(B);
  });

  it.each([
    ['all of its pieces', 0],
    ['some of its pieces', 3],
  ])('says of what has lost %s that it is damaged, and not that NATS is', async (_, keep) => {
    const share = checkpointStream({ url: nats.url, log: silent });
    await share.put(A, join(folder, 'archive'), transfer());
    const { manager } = await nats.connect();
    await manager.streams.purge('CHECKPOINTS', { filter: `checkpoints.${A}.pieces`, ...(keep === 0 ? {} : { keep }) });
    await expect(share.fetch(A, newFile(), transfer())).rejects.toMatchObject({ code: 'checkpoint_damaged' });
    await share.remove(A);
  });

  it('has nothing to tidy before anybody left anything in it', async () => {
    await using fresh = await TestNats.start();
    await checkpointStream({ url: fresh.url, log: silent }).tidy();
  });

  it('is said to be unavailable where NATS does not answer', async () => {
    const share = checkpointStream({ url: 'nats://127.0.0.1:1', log: silent });
    await expect(share.list()).rejects.toMatchObject({
      code: 'checkpoint_share_unavailable',
      message: expect.stringContaining('NATS at nats://127.0.0.1:1') as string,
    });
  });
});

describe('a stream of NATS', () => {
  it('calls no archive damaged of which pieces were lost with a connection', async () => {
    const archive = join(folder, 'large');
    await writeFile(archive, randomBytes(12_000_000));
    await checkpointStream({ url: nats.url, log: silent }).put(A, archive, transfer());
    await using wire = await CuttableWire.to({ host: '127.0.0.1', port: Number(new URL(nats.url).port) });
    // In the midst of the twelfth piece of 512 KiB.
    wire.cutAfter(6_000_000);
    const fetched = checkpointStream({ url: `nats://${wire.address}`, log: silent }).fetch(A, newFile(), transfer());
    const failed = expect(fetched).rejects.toMatchObject({
      code: 'checkpoint_share_unavailable',
      message: expect.stringContaining('the connection broke') as string,
    });
    const { manager } = await nats.connect();
    await eventually(async () => {
      // NATS forgets those of the tests before some time later.
      const readers = await manager.consumers.list('CHECKPOINTS').next();
      const delivered = readers.map((reader) => reader.delivered.consumer_seq);
      expect(Math.max(...delivered)).toBeGreaterThanOrEqual(12);
    });
    wire.join();
    await failed;
    await checkpointStream({ url: nats.url, log: silent }).remove(A);
  });
});
