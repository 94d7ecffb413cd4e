import { readFile } from 'node:fs/promises';

/** SS_CONNECTED of the kernel's socket_state, as it is printed. */
const CONNECTED = '03';

/**
 * How many connections to a server's UNIX socket belong to the network of this process. The kernel counts the server's
 * end of a connection among the sockets of whoever asked for it, under the name that the server's socket has on its own
 * side; an instance that gives a socket of its own the same name counts that against itself. Undefined when there is no
 * such process.
 */
export async function unixConnections(pid: number, socketName: string): Promise<number | undefined> {
  const table = await readFile(`/proc/${pid}/net/unix`, 'utf8').catch(() => undefined);
  // Num RefCount Protocol Flags Type St Inode Path
  return table?.split('\n').filter((line) => {
    const [, , , , , state, , path] = line.trim().split(/\s+/);
    return state === CONNECTED && path !== undefined && (path === socketName || path.endsWith(`/${socketName}`));
  }).length;
}
