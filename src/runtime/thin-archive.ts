import { Header, Pax, type HeaderData } from 'tar';

/** What is found in the archive: a file's content, or an absolute path it is led to instead. */
export type ThinEntry =
  | {
      readonly path: string;
      readonly content: string | Buffer;
      readonly mode?: number;
      /** Root without them. */
      readonly uid?: number;
      readonly gid?: number;
    }
  | { readonly path: string; readonly target: string };

const BLOCK = 512;

/** A tar of these entries, in memory. Links keep it at some KB, whatever the size of what they lead to. */
export function thinArchive(entries: readonly ThinEntry[]): Buffer {
  const written = entries.flatMap((entry) =>
    'target' in entry
      ? write({ path: entry.path, type: 'SymbolicLink', linkpath: entry.target, mode: 0o777 })
      : write(
          {
            path: entry.path,
            type: 'File',
            mode: entry.mode ?? 0o600,
            uid: entry.uid ?? 0,
            gid: entry.gid ?? 0,
          },
          Buffer.from(entry.content),
        ),
  );
  return Buffer.concat([...written, Buffer.alloc(2 * BLOCK)]);
}

function write(about: HeaderData, content = Buffer.alloc(0)): Buffer[] {
  const header = new Header({ uid: 0, gid: 0, ...about, size: content.length, mtime: new Date() });
  const block = Buffer.alloc(BLOCK);
  const tooLong = header.encode(block, 0);
  const { path = '', linkpath = '' } = about;
  return [
    ...(tooLong ? [new Pax({ path, linkpath }).encode()] : []),
    block,
    content,
    Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK),
  ];
}
