import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

const PAGEMAP = /^pagemap-.*\.img$/;
const MAGIC_BYTES = 8;
const PAGE_BYTES = 4096;
/** Fields of criu/images/pagemap.proto. */
const HEAD = { pagesId: 1 } as const;
const ENTRY = { oldPageCount: 2, inParent: 3, flags: 4, pageCount: 5 } as const;
const IN_THIS_IMAGE = 1 << 2;

/**
 * Throws an error when an image of memory pages is shorter than its map says. CRIU (4.2 at least) reads past
 * the end of such an image for ever, fills the disk with its log meanwhile, and Podman's service answers nobody
 * who asks for a list.
 */
export async function requireWholePages(images: string): Promise<void> {
  const maps = (await readdir(images)).filter((name) => PAGEMAP.test(name));
  const wanted = new Map<number, number>();
  for (const { pagesId, bytes } of await Promise.all(
    maps.map(async (name) => mapped(await readFile(join(images, name)))),
  )) {
    wanted.set(pagesId, (wanted.get(pagesId) ?? 0) + bytes);
  }
  await Promise.all(
    [...wanted].map(async ([id, bytes]) => {
      if (bytes === 0) return;
      const { size } = await stat(join(images, `pages-${id}.img`));
      if (size < bytes) throw new Error(`pages-${id}.img holds ${size} bytes of memory instead of ${bytes}`);
    }),
  );
}

/** How much of which image of pages a map speaks of. */
function mapped(map: Buffer): { readonly pagesId: number; readonly bytes: number } {
  const [head, ...entries] = messages(map);
  const pages = entries.reduce((sum, entry) => {
    const old = entry.get(ENTRY.oldPageCount) ?? 0;
    const flags = entry.get(ENTRY.flags) ?? (entry.get(ENTRY.inParent) === 1 ? 0 : IN_THIS_IMAGE);
    return (flags & IN_THIS_IMAGE) === 0 ? sum : sum + (entry.get(ENTRY.pageCount) ?? old);
  }, 0);
  return { pagesId: head?.get(HEAD.pagesId) ?? 0, bytes: pages * PAGE_BYTES };
}

/** An image is its magic numbers, then messages, each after its length. */
function messages(image: Buffer): Map<number, number>[] {
  const found: Map<number, number>[] = [];
  for (let at = MAGIC_BYTES; at + 4 <= image.length;) {
    const end = at + 4 + image.readUInt32LE(at);
    if (end > image.length) throw new Error('a map of memory pages is cut short');
    found.push(numbersIn(image.subarray(at + 4, end)));
    at = end;
  }
  return found;
}

/** The numeric fields of a protobuf message that has no others. */
function numbersIn(message: Buffer): Map<number, number> {
  const fields = new Map<number, number>();
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = message[at];
      if (byte === undefined) throw new Error('a map of memory pages is cut short');
      at += 1;
      // Addresses lose their last bits here; no one asks for them.
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const tag = varint();
    if ((tag & 7) !== 0) throw new Error('a map of memory pages is not as CRIU is known to write it');
    fields.set(tag >> 3, varint());
  }
  return fields;
}
