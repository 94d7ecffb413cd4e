import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { list } from 'tar';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseExactly, writeExactly } from './exact-json.ts';
import { requireWholePages } from './page-images.ts';
import { thinArchive } from '../../thin-archive.ts';
import { renamedUts } from './uts-image.ts';

describe('JSON of another program', () => {
  it('keeps integers that JavaScript cannot hold, and digits in texts', () => {
    const text =
      '{"rlimit":18446744073709551615,"list":[-9223372036854775808,1,12345678901234567],' +
      '"env":["A=12345678901234567890","\\"9999999999999999999\\\\"],"n":1.5}';
    expect(writeExactly(parseExactly(text))).toBe(text);
    // What JSON alone makes of it.
    expect(JSON.stringify(JSON.parse(text))).not.toBe(text);
  });
});

describe('an archive of links', () => {
  it('holds files and links, also where a path is longer than a header allows', async () => {
    const target = `/${'long/'.repeat(60)}end`;
    const archive = thinArchive([
      { path: 'config.dump', content: 'ä'.repeat(300) },
      { path: 'checkpoint', target },
      { path: 'empty', content: '' },
      { path: 'run', content: '#', mode: 0o755 },
    ]);
    const found: unknown[] = [];
    const parser = list({
      onReadEntry: ({ path, type, size, linkpath, mode }) => {
        found.push({ path, type, size, linkpath: linkpath ?? '', mode });
      },
    });
    await new Promise((resolve, reject) =>
      Readable.from([archive]).pipe(parser).on('end', resolve).on('error', reject),
    );
    expect(found).toEqual([
      { path: 'config.dump', type: 'File', size: 600, linkpath: '', mode: 0o600 },
      { path: 'checkpoint', type: 'SymbolicLink', size: 0, linkpath: target, mode: 0o777 },
      { path: 'empty', type: 'File', size: 0, linkpath: '', mode: 0o600 },
      { path: 'run', type: 'File', size: 1, linkpath: '', mode: 0o755 },
    ]);
  });
});

/** As CRIU 4.2 wrote it for a container called eng-source. */
const UTS = Buffer.from('19435654033247541400000' + '00a0a656e672d736f757263651206286e6f6e6529', 'hex');

describe('the image of a host name', () => {
  it('is written again with another name, longer or shorter, and the domain name as it was', () => {
    for (const name of ['demo-0123456789abcdef', 'x']) {
      const renamed = renamedUts(UTS, name);
      expect(renamed?.subarray(0, 8)).toEqual(UTS.subarray(0, 8));
      expect(renamed?.readUInt32LE(8)).toBe((renamed?.length ?? 0) - 12);
      expect(renamed?.subarray(12).toString()).toBe(`\n${String.fromCharCode(name.length)}${name}\u0012\u0006(none)`);
    }
    expect(renamedUts(UTS, 'eng-source')).toEqual(UTS);
  });

  it('is left alone when it is not laid out as known', () => {
    for (const other of [
      Buffer.alloc(0),
      UTS.subarray(0, 13),
      UTS.subarray(0, -1),
      Buffer.concat([UTS.subarray(0, 12), Buffer.from([0x12]), UTS.subarray(13)]),
    ]) {
      expect(renamedUts(other, 'demo')).toBeUndefined();
    }
    expect(renamedUts(UTS, 'x'.repeat(200))).toBeUndefined();
  });
});

describe('images of memory pages', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tin-pages-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const varint = (value: number): number[] =>
    value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
  const message = (...fields: readonly (readonly [number, number])[]): Buffer => {
    const body = Buffer.from(fields.flatMap(([field, value]) => [...varint(field * 8), ...varint(value)]));
    const length = Buffer.alloc(4);
    length.writeUInt32LE(body.length);
    return Buffer.concat([length, body]);
  };
  const write = async (name: string, ...parts: Buffer[]): Promise<void> =>
    writeFile(join(folder, name), Buffer.concat([Buffer.alloc(8), ...parts]));
  const pages = async (id: number, count: number): Promise<void> =>
    writeFile(join(folder, `pages-${id}.img`), Buffer.alloc(count * 4096));

  it('are whole when they hold what their maps say: pages present, in every spelling of it', async () => {
    const address = 0x7f0012345000;
    // Present by flag; lazy but present (5 = 4 | 1); in the parent; before flags were written; by the old count.
    await write(
      'pagemap-1.img',
      message([1, 1]),
      message([1, address], [5, 2], [4, 4]),
      message([1, address], [5, 3], [4, 5]),
      message([1, address], [5, 9], [4, 1]),
    );
    await write(
      'pagemap-2.img',
      message([1, 2]),
      message([1, address], [2, 4], [3, 0]),
      message([1, address], [2, 4], [3, 1]),
    );
    await write('pagemap-shmem-3.img', message([1, 2]), message([1, address], [2, 1], [4, 4]));
    await pages(1, 5);
    await pages(2, 5);
    await requireWholePages(folder);
    await pages(1, 4);
    await expect(requireWholePages(folder)).rejects.toThrow('pages-1.img holds 16384 bytes of memory instead of 20480');
    await pages(1, 5);
    await rm(join(folder, 'pages-2.img'));
    await expect(requireWholePages(folder)).rejects.toThrow('pages-2.img');
  });

  it('are refused with a map that is cut short', async () => {
    await write('pagemap-1.img', message([1, 1]), message([1, 4096], [5, 2], [4, 4]));
    await pages(1, 2);
    const whole = await readFile(join(folder, 'pagemap-1.img'));
    await writeFile(join(folder, 'pagemap-1.img'), whole.subarray(0, -2));
    await expect(requireWholePages(folder)).rejects.toThrow('cut short');
  });
});
