import { MOST_OF_TABLE, tablePieces } from './kernel-tables.ts';

/**
 * Num RefCount Protocol Flags Type St Inode Path, where St is SS_CONNECTED of the kernel's socket_state, or
 * SS_CONNECTING until the server has accepted it.
 */
const CONNECTED = /^\S+: (?:\S+ ){4}0[23] +\d+ (.+)$/gm;

/**
 * How many connections to a server's UNIX socket belong to the network of this process. The kernel counts the server's
 * end of a connection among the sockets of whoever asked for it, under the name that the server's socket has on its own
 * side; an instance that gives a socket of its own the same name counts that against itself. Infinity where it has more
 * sockets than anybody can look through each second. Undefined when there is no such process.
 */
export async function unixConnections(pid: number, socketName: string): Promise<number | undefined> {
  const name = Buffer.from(socketName).toString('latin1');
  let [length, count] = [0, 0];
  for await (const piece of tablePieces(`/proc/${pid}/net/unix`)) {
    if ((length += piece.length) > MOST_OF_TABLE) return Infinity;
    for (const [, path = ''] of piece.matchAll(CONNECTED)) if (path === name || path.endsWith(`/${name}`)) count += 1;
  }
  // There is a heading at least.
  return length === 0 ? undefined : count;
}
