import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decode, encode, type DecodedPacket, type Packet, type SrvAnswer } from 'dns-packet';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { discover, NameBook, startValkey, temporaryFolder } from '../../../test/support/proxy.ts';
import { silent } from '../../../test/support/store.ts';
import { suspend } from '../../../test/support/suspend.ts';
import { newHostLabel } from '../../domain/ids.ts';
import { freePort } from '../../launcher/tcp-ports.ts';
import { Releasers } from '../../lifecycle/releasers.ts';
import { sleep } from '../../lifecycle/sleep.ts';
import { keys } from '../../store/keys.ts';
import type { Discovery } from './discovery.ts';
import type { DnsOutcome } from './interfaces/hostname-source.ts';

let releasers: Releasers;

beforeEach(() => {
  releasers = new Releasers();
});
afterEach(() => releasers.releaseAll(silent));

type Reply = DecodedPacket & { readonly rcode: string };

/** The raw answer to a raw packet; undefined when none comes within `waitMs`. */
async function exchange(port: number, packet: Uint8Array, waitMs = 30_000): Promise<Buffer | undefined> {
  const socket = createSocket('udp4');
  const settled = new AbortController();
  try {
    const reply = new Promise<Buffer>((resolve) => socket.once('message', resolve));
    socket.send(packet, port, '127.0.0.1');
    return await Promise.race([reply, sleep(waitMs, settled.signal).then(() => undefined)]);
  } finally {
    settled.abort();
    socket.close();
  }
}

async function ask(
  discovery: Discovery,
  name: string,
  type: 'SRV' | 'A' | 'AAAA' | 'TXT' = 'SRV',
  extra: Partial<Packet> = {},
): Promise<Reply> {
  const reply = await exchange(
    discovery.address.port,
    encode({ type: 'query', id: 4711, flags: 256, questions: [{ type, name }], ...extra }),
  );
  if (reply === undefined) throw new Error(`no answer about ${name}`);
  return decode(reply) as Reply;
}

/** host:port behind a label, undefined when the name does not exist. */
async function whereIs(discovery: Discovery, label: string): Promise<string | undefined> {
  const { answers = [], rcode } = await ask(discovery, `${label}.demo.internal`);
  if (answers.length === 0) {
    expect(rcode).toBe('NXDOMAIN');
    return undefined;
  }
  const { target, port } = (answers[0] as SrvAnswer).data;
  const { answers: addresses = [] } = await ask(discovery, target, 'A');
  return `${String((addresses[0] as { data?: unknown } | undefined)?.data)}:${port}`;
}

async function world(options: Parameters<typeof discover>[2] = {}): Promise<{
  valkey: Awaited<ReturnType<typeof startValkey>>;
  names: NameBook;
  discovery: Discovery;
  outcomes: DnsOutcome[];
}> {
  const valkey = await startValkey(releasers);
  const names = new NameBook(valkey.port, releasers);
  await names.addNode('node0', '127.0.0.1');
  const outcomes: DnsOutcome[] = [];
  const discovery = await discover(releasers, valkey.port, {
    listen: { port: await freePort() },
    observer: { answered: (outcome) => outcomes.push(outcome), visitStep: () => undefined },
    ...options,
  });
  await eventually(() => expect(discovery.stats().inStep).toBe(true));
  return { valkey, names, discovery, outcomes };
}

describe('what is answered', () => {
  it('says where an instance and its node are, and says no to everything else', async () => {
    const { names, discovery, outcomes } = await world();
    const label = newHostLabel();
    await names.addNode('Node-2', '::1');
    await names.publish(label, 21_001);
    await eventually(() => expect(discovery.stats()).toMatchObject({ hostnames: 1, nodes: 2 }));
    outcomes.length = 0;

    const srv = await ask(discovery, `${label.toUpperCase()}.Demo.Internal`);
    expect(srv).toMatchObject({
      id: 4711,
      rcode: 'NOERROR',
      flag_aa: true,
      flag_rd: true,
      answers: [{ type: 'SRV', ttl: 1, data: { port: 21_001, target: 'node0.demo.internal' } }],
    });
    expect(await ask(discovery, 'node0.demo.internal', 'A')).toMatchObject({
      rcode: 'NOERROR',
      answers: [{ type: 'A', data: '127.0.0.1' }],
    });
    expect(await ask(discovery, 'node0.demo.internal', 'AAAA')).toMatchObject({ rcode: 'NOERROR', answers: [] });
    expect(await ask(discovery, 'node-2.demo.internal', 'AAAA')).toMatchObject({
      rcode: 'NOERROR',
      answers: [{ type: 'AAAA', data: '::1' }],
    });
    expect(await ask(discovery, `${label}.demo.internal`, 'TXT')).toMatchObject({ rcode: 'NOERROR', answers: [] });
    expect(await ask(discovery, 'demo.internal', 'A')).toMatchObject({ rcode: 'NOERROR', answers: [] });
    expect(await ask(discovery, `${newHostLabel()}.demo.internal`)).toMatchObject({ rcode: 'NXDOMAIN', answers: [] });
    expect(await ask(discovery, 'www.demo.internal')).toMatchObject({ rcode: 'NXDOMAIN', answers: [] });
    expect(await ask(discovery, 'example.com', 'A')).toMatchObject({ rcode: 'REFUSED', answers: [] });
    expect(outcomes).toEqual([
      'known',
      'node',
      'no_data',
      'node',
      'no_data',
      'no_data',
      'unknown',
      'unknown',
      'refused',
    ]);
  });

  it('finds a node that is given by host name', async () => {
    const { names, discovery } = await world();
    await names.addNode('node3', 'localhost');
    await eventually(async () => {
      const replies = [
        await ask(discovery, 'node3.demo.internal', 'A'),
        await ask(discovery, 'node3.demo.internal', 'AAAA'),
      ];
      expect(replies.flatMap(({ answers = [] }) => answers.map((found) => (found as { data: unknown }).data))).toEqual([
        expect.stringMatching(/^(127\.0\.0\.1|::1)$/),
      ]);
    });
  });

  it('is heard on loopback alone unless told otherwise', async () => {
    const { discovery } = await world();
    expect(discovery.address.host).toBe('127.0.0.1');
  });

  it('names the port when another program has it', async () => {
    const { valkey, discovery } = await world();
    await expect(discover(releasers, valkey.port, { listen: { port: discovery.address.port } })).rejects.toMatchObject({
      code: 'port_taken',
      message: expect.stringContaining(`127.0.0.1:${discovery.address.port}`) as string,
    });
  });
});

describe('mangled packets', () => {
  const query = encode({
    type: 'query',
    id: 7,
    questions: [{ type: 'SRV', name: 'abcdefghijklmnopqrst.demo.internal' }],
  });

  it('get a format error where there is a header to answer to, and silence otherwise', async () => {
    const { discovery, outcomes } = await world();
    const { port } = discovery.address;
    const rcodes = async (...packets: Uint8Array[]): Promise<unknown[]> =>
      Promise.all(
        packets.map(async (packet) => {
          const reply = await exchange(port, packet);
          return reply === undefined ? 'silence' : (decode(reply) as Reply).rcode;
        }),
      );
    /** The first thing heard when a query, for which the store is asked, is sent after the packet. */
    const heardAfter = async (packet: Uint8Array): Promise<unknown> => {
      const socket = createSocket('udp4');
      releasers.push('silent socket', () => socket.close());
      socket.bind(0, '127.0.0.1');
      await once(socket, 'listening');
      const reply = once(socket, 'message') as Promise<[Buffer]>;
      socket.send(packet, port, '127.0.0.1');
      const name = `${newHostLabel()}.demo.internal`;
      socket.send(encode({ type: 'query', id: 99, questions: [{ type: 'SRV', name }] }), port, '127.0.0.1');
      const { id, rcode } = decode((await reply)[0]) as Reply;
      return { id, rcode };
    };
    const status = Buffer.from(query);
    status.writeUInt8(0x10, 2);

    expect(
      await rcodes(
        query.subarray(0, 20),
        Buffer.alloc(12),
        encode({ type: 'query', id: 7, questions: [] }),
        encode({
          type: 'query',
          id: 7,
          questions: [
            { type: 'A', name: 'a.demo.internal' },
            { type: 'A', name: 'b.demo.internal' },
          ],
        }),
      ),
    ).toEqual(['FORMERR', 'FORMERR', 'FORMERR', 'FORMERR']);
    expect(await rcodes(status)).toEqual(['NOTIMP']);
    const unanswered = [
      Buffer.alloc(0),
      query.subarray(0, 11),
      encode({ type: 'response', id: 7, questions: [{ type: 'A', name: 'a.demo.internal' }] }),
    ];
    for (const packet of unanswered) expect(await heardAfter(packet)).toEqual({ id: 99, rcode: 'NXDOMAIN' });
    expect(outcomes.filter((outcome) => outcome === 'malformed')).toHaveLength(4);
  });

  it('get a format error before they are taken apart, where no query is like that', async () => {
    const { names, discovery } = await world();
    const { port } = discovery.address;
    const rcode = async (packet: Uint8Array): Promise<unknown> => {
      const reply = await exchange(port, packet);
      return reply === undefined ? 'silence' : (decode(reply) as Reply).rcode;
    };
    const answered = encode({
      type: 'query',
      id: 7,
      questions: [{ type: 'A', name: 'node0.demo.internal' }],
      answers: [{ type: 'A', name: 'node0.demo.internal', data: '127.0.0.1' }],
    });
    const long = Buffer.concat([query, Buffer.alloc(1_300)]);
    expect([await rcode(answered), await rcode(long)]).toEqual(['FORMERR', 'FORMERR']);
    const label = newHostLabel();
    await names.publish(label, 21_001);
    const asked = encode({ type: 'query', id: 9, questions: [{ type: 'SRV', name: `${label}.demo.internal` }] });
    const socket = createSocket('udp4');
    releasers.push('flooding socket', () => socket.close());
    for (let sent = 0; sent < 30; sent += 1) socket.send(pointersToPointers(), port, '127.0.0.1');
    expect(await rcode(asked)).toBe('NOERROR');
  });

  it('never end it, whatever they hold', async () => {
    const { names, discovery } = await world();
    const label = newHostLabel();
    await names.publish(label, 21_001);
    const socket = createSocket('udp4');
    releasers.push('fuzz socket', () => socket.close());
    let sent = 0;
    const send = (packet: Uint8Array): Promise<void> =>
      new Promise((resolve, reject) => {
        socket.send(packet, discovery.address.port, '127.0.0.1', (error) => {
          sent += 1;
          if (error === null) resolve();
          else reject(error);
        });
      });
    const mutated = fc
      .tuple(
        fc.constantFrom(
          query,
          encode({
            type: 'query',
            id: 1,
            questions: [{ type: 'A', name: 'node0.demo.internal' }],
            additionals: [
              {
                type: 'OPT',
                name: '.',
                udpPayloadSize: 4096,
                flags: 0,
                extendedRcode: 0,
                ednsVersion: 0,
                flag_do: false,
                options: [],
              },
            ],
          }),
        ),
        fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 6 }),
        fc.nat(60),
      )
      .map(([base, edits, cut]) => {
        const packet = Buffer.from(base);
        for (const [at, value] of edits) packet.writeUInt8(value, at % packet.length);
        return packet.subarray(0, packet.length - (cut % 20));
      });
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 600 }), mutated), async (packet) => {
        await send(packet);
      }),
      { numRuns: 3_000 },
    );

    expect(sent).toBeGreaterThanOrEqual(3_000);
    // What is sent while there is more than its socket holds is lost.
    await eventually(async () => expect(await exchange(discovery.address.port, query, 500)).toBeDefined());
    await eventually(async () => expect(await whereIs(discovery, label)).toBe('127.0.0.1:21001'));
  });
});

describe('while the store is unavailable', () => {
  it('goes on answering what it knows, and is in step again whatever the store comes back with', async () => {
    const { valkey, names, discovery } = await world();
    const kept = newHostLabel();
    await names.publish(kept, 21_001);
    await eventually(async () => expect(await whereIs(discovery, kept)).toBe('127.0.0.1:21001'));
    await valkey.server.stop();
    await eventually(() => expect(discovery.stats().inStep).toBe(false));

    expect(await whereIs(discovery, kept)).toBe('127.0.0.1:21001');
    expect((await ask(discovery, `${newHostLabel()}.demo.internal`)).rcode).toBe('SERVFAIL');

    // It comes back with another instance in place of the first.
    await startValkey(releasers, valkey.port);
    const fresh = newHostLabel();
    await names.addNode('node0', '127.0.0.1');
    await names.publish(fresh, 21_002);
    await eventually(async () => expect(await whereIs(discovery, fresh)).toBe('127.0.0.1:21002'));
    // One by one it learns of names at once; that all are there again, a moment later.
    await eventually(async () => expect(await whereIs(discovery, kept)).toBeUndefined());
  });

  it('answers what it knows without delay while the connection hangs, and follows when it moves again', async () => {
    const { valkey, names, discovery, outcomes } = await world({ lookupTimeoutMs: 1_000 });
    const kept = newHostLabel();
    await names.publish(kept, 21_001);
    await eventually(() => expect(discovery.stats().hostnames).toBe(1));
    await suspend(valkey.server);
    releasers.push('let it move', () => valkey.server.signal('SIGCONT'));
    outcomes.length = 0;

    // The unknown name waits for the store, the known one overtakes it.
    const unknown = ask(discovery, `${newHostLabel()}.demo.internal`);
    const order: string[] = [];
    await Promise.all([
      unknown.then(({ rcode }) => order.push(rcode)),
      ask(discovery, `${kept}.demo.internal`).then(({ rcode }) => order.push(rcode)),
    ]);
    expect(order).toEqual(['NOERROR', 'SERVFAIL']);
    await eventually(() => expect(discovery.stats().inStep).toBe(false));

    valkey.server.signal('SIGCONT');
    await names.withdraw(kept);
    await eventually(async () => expect(await whereIs(discovery, kept)).toBeUndefined());
    expect(outcomes).toContain('unsure');
  });

  it('knows nothing, and says so, when it starts then without saved names', async () => {
    const discovery = await discover(releasers, await freePort());
    expect((await ask(discovery, `${newHostLabel()}.demo.internal`)).rcode).toBe('SERVFAIL');
    expect((await ask(discovery, 'www.demo.internal')).rcode).toBe('SERVFAIL');
  });
});

describe('the saved names', () => {
  const savedName = (label: string): string => `{"v":2,"nodes":{"node0":"127.0.0.1"}}\n["${label}","node0",21009]\n`;

  it('are readable to the owner only and serve a restart while the store is unavailable', async () => {
    const snapshotFile = join(await temporaryFolder(releasers), 'names.json');
    const { valkey, names, discovery } = await world({ snapshotFile });
    const label = newHostLabel();
    await names.publish(label, 21_001);
    await eventually(async () => expect(await readFile(snapshotFile, 'utf8')).toContain(label));
    expect((await stat(snapshotFile)).mode & 0o777).toBe(0o600);
    await discovery.close();
    await valkey.server.stop();

    const again = await discover(releasers, valkey.port, { snapshotFile, listen: { port: discovery.address.port } });
    expect(again.stats()).toMatchObject({ hostnames: 1, inStep: false });
    expect(await whereIs(again, label)).toBe('127.0.0.1:21001');
  });

  it('yield to the store when it answers', async () => {
    const snapshotFile = join(await temporaryFolder(releasers), 'names.json');
    const gone = newHostLabel();
    await writeFile(snapshotFile, savedName(gone));
    const { discovery } = await world({ snapshotFile });
    expect(await whereIs(discovery, gone)).toBeUndefined();
  });

  const other = savedName('a').replace('2', '3');
  it.each([
    ['old', async (file: string) => utimes(file, new Date(Date.now() - 3_600_000), new Date(Date.now() - 3_600_000))],
    ['damaged', async (file: string) => writeFile(file, '{"v":2,"nodes":{"a":7')],
    ['of another version', async (file: string) => writeFile(file, other)],
  ])('are not believed when they are %s', async (_, spoil) => {
    const snapshotFile = join(await temporaryFolder(releasers), 'names.json');
    await writeFile(snapshotFile, savedName(newHostLabel()));
    const believed = await discover(releasers, await freePort(), { snapshotFile });
    expect(believed.stats().hostnames).toBe(1);
    await spoil(snapshotFile);
    const discovery = await discover(releasers, await freePort(), { snapshotFile });
    expect(discovery.stats().hostnames).toBe(0);
  });
});

it('finds a name that the stream has not told of yet', async () => {
  const { names, discovery, outcomes } = await world();
  const label = newHostLabel();
  await names.valkey.hset(keys.hostnames, label, JSON.stringify({ v: 1, id: 'a', node: 'node0', port: 21_007 }));
  expect(await whereIs(discovery, label)).toBe('127.0.0.1:21007');
  expect(outcomes[0]).toBe('looked_up');
});

/** Eight thousand questions, the name of each eight thousand pointers away. */
function pointersToPointers(): Buffer {
  const packet = Buffer.alloc(65_000);
  const [first, end] = [12, 0x3f_ff];
  packet.writeUInt16BE(7, 0);
  // Each points to the one before, the first to a zero in the header; three of them are a question as well.
  for (let at = first; at + 2 <= end; at += 2) packet.writeUInt16BE(0xc0_00 + Math.max(6, at - 2), at);
  packet.writeUInt16BE(0xc0_06, first);
  const last = first + Math.floor((end - first) / 2) * 2 - 2;
  for (let at = last + 2; at + 6 <= packet.length; at += 6) packet.writeUInt16BE(0xc0_00 + last, at);
  packet.writeUInt16BE(65_535, 4);
  return packet;
}
