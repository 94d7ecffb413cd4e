import { readFile } from 'node:fs/promises';

export interface Bound {
  readonly inode: string;
  readonly protocol: 'TCP' | 'UDP';
  readonly address: string;
  readonly port: number;
}

const LISTENING = '0A';
const MAPPED = '0000000000000000FFFF0000';

/**
 * Sockets in the network of this process that listen on (or, UDP, are bound to) an address of the container itself:
 * neither all addresses nor the loopback. A clone has another address.
 */
export async function boundToOwnAddress(pid: number): Promise<readonly Bound[]> {
  const tables = await Promise.all(
    (['tcp', 'tcp6', 'udp', 'udp6'] as const).map(async (table) =>
      // Without IPv6 in the kernel there is no such table.
      boundIn(
        await readFile(`/proc/${pid}/net/${table}`, 'utf8').catch(() => ''),
        table.startsWith('tcp') ? 'TCP' : 'UDP',
      ),
    ),
  );
  return tables.flat();
}

/** Of one of the kernel's tables, as /proc/net has them. */
export function boundIn(table: string, protocol: Bound['protocol']): readonly Bound[] {
  return table
    .split('\n')
    .slice(1)
    .flatMap((row) => {
      const [, local = '', , state = '', , , , , , inode = '0'] = row.trim().split(/\s+/);
      const [hex = '', port = ''] = local.split(':');
      if (inode === '0' || (protocol === 'TCP' && state !== LISTENING)) return [];
      const address = ownAddress(hex);
      return address === undefined ? [] : [{ inode, protocol, address, port: Number.parseInt(port, 16) }];
    });
}

/** The kernel writes each 32 bits as the processor has them: here the last byte first. */
function ownAddress(hex: string): string | undefined {
  if (hex.length === 8 || hex.startsWith(MAPPED)) {
    const bytes = [...Buffer.from(hex.slice(-8), 'hex')].reverse();
    return bytes.every((byte) => byte === 0) || bytes[0] === 127 ? undefined : bytes.join('.');
  }
  if (hex.length !== 32) return undefined;
  const words = [0, 8, 16, 24].map((at) =>
    Buffer.from(hex.slice(at, at + 8), 'hex')
      .reverse()
      .toString('hex'),
  );
  const groups = words.join('').match(/.{4}/g) ?? [];
  const last = Number.parseInt(groups.at(-1) ?? '', 16);
  // :: and ::1
  if (groups.slice(0, -1).every((group) => group === '0000') && last <= 1) return undefined;
  return groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':');
}
