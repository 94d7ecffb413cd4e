import { open } from 'node:fs/promises';

const PIECE = 64 * 2 ** 10;
/**
 * Of a table of an instance's sockets: some 7,000 connections or 16,000 UNIX sockets, which apps are far from. To look
 * through a hundred thousand would hold up the whole process.
 */
export const MOST_OF_TABLE = 2 ** 20;

/**
 * A table that the kernel makes up line by line, such as those in /proc/PID/net, in pieces of whole lines, so that
 * others have their turn in between. Nothing where there is no such file.
 */
export async function* tablePieces(path: string): AsyncGenerator<string> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return;
  const buffer = Buffer.alloc(PIECE);
  let rest = '';
  try {
    for (;;) {
      // It is gone with its process.
      const { bytesRead } = await file.read(buffer, 0, PIECE).catch(() => ({ bytesRead: 0 }));
      if (bytesRead === 0) break;
      const text = rest + buffer.toString('latin1', 0, bytesRead);
      const end = text.lastIndexOf('\n') + 1;
      rest = text.slice(end);
      if (end > 0) yield text.slice(0, end);
    }
  } finally {
    await file.close();
  }
  if (rest !== '') yield rest;
}
