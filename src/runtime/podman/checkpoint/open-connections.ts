import { readFile } from 'node:fs/promises';

/**
 * The kernel's numbers (include/net/tcp_states.h) for connections that are being made or are open,
 * no matter who holds them.
 */
const OPEN = new Map([
  ['01', 'established'],
  ['02', 'being opened'],
  ['03', 'being accepted'],
  ['08', 'closed by the other end only'],
]);
/**
 * These matter only as long as a process holds the socket; without one the kernel finishes them alone,
 * and no dump sees them.
 */
const CLOSING = new Map([
  ['04', 'being closed'],
  ['05', 'being closed'],
  ['09', 'being closed'],
  ['0B', 'being closed'],
]);

/**
 * The TCP connections in the network of this process that a dump would fail on, in words. Listening sockets are none,
 * and neither is what waits for late packets (TIME_WAIT): it belongs to no process.
 */
export async function openConnections(pid: number): Promise<readonly string[]> {
  const tables = await Promise.all(
    ['tcp', 'tcp6'].map((table) =>
      readFile(`/proc/${pid}/net/${table}`, 'utf8').catch((error: unknown) => {
        // Without IPv6 in the kernel there is no such table.
        if (table === 'tcp6') return '';
        throw error;
      }),
    ),
  );
  return tables
    .flatMap((table) => table.split('\n').slice(1))
    .flatMap((row) => {
      const [, local = '', remote = '', state = '', , , , , , inode = '0'] = row.trim().split(/\s+/);
      const words = OPEN.get(state) ?? (inode === '0' ? undefined : CLOSING.get(state));
      return words === undefined ? [] : [`from port ${port(local)} to port ${port(remote)}, ${words}`];
    });
}

function port(address: string): number {
  return Number.parseInt(address.split(':')[1] ?? '', 16);
}
