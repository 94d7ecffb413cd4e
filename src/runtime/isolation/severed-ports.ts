import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { sleep } from '../../lifecycle/sleep.ts';

const CONNECT_MS = 500;
const LOOKS = 4;
/** A relay that accepts for a container may be slow on a busy host. */
const LOOK_AGAIN_MS = 250;
const AT_ONCE = 64;
/** As /proc/net/tcp has it. */
const ESTABLISHED = '01';
const NOBODY = '0';

/**
 * Those of these ports of an address of the host whose connections are taken by the host's kernel, for a listener that
 * accepts nothing: an engine holds the port of each container so, and only its forwarding rules keep anybody from
 * getting there. A connection that is forwarded, refused or accepted is no such case.
 */
export async function severedPorts(address: string, ports: readonly number[]): Promise<readonly number[]> {
  const severed: number[] = [];
  for (let at = 0; at < ports.length; at += AT_ONCE)
    severed.push(...(await among(address, ports.slice(at, at + AT_ONCE))));
  return severed;
}

async function among(address: string, ports: readonly number[]): Promise<readonly number[]> {
  const opened = await Promise.all(ports.map(async (port) => ({ port, socket: await open(address, port) })));
  try {
    let suspects = opened.flatMap(({ port, socket }) =>
      socket?.localPort === undefined ? [] : [{ port, from: socket.localPort }],
    );
    for (let look = 1; suspects.length > 0; look += 1) {
      const waiting = await unaccepted();
      suspects = suspects.filter(({ port, from }) => waiting.has(`${port} ${from}`));
      if (look === LOOKS) break;
      if (suspects.length > 0) await sleep(LOOK_AGAIN_MS);
    }
    return suspects.map(({ port }) => port);
  } finally {
    for (const { socket } of opened) socket?.destroy();
  }
}

async function open(host: string, port: number): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ port, host, timeout: CONNECT_MS });
    const fail = (): void => {
      socket.destroy();
      resolve(undefined);
    };
    socket.once('timeout', fail).on('error', fail);
    socket.once('connect', () => {
      socket.setTimeout(0);
      resolve(socket);
    });
  });
}

/** `port from` of every established connection of this host's own that no process has accepted. */
async function unaccepted(): Promise<ReadonlySet<string>> {
  const [, ...lines] = (await readFile('/proc/net/tcp', 'utf8')).split('\n');
  const portOf = (address = ''): number => parseInt(address.split(':')[1] ?? '', 16);
  return new Set(
    lines.flatMap((line) => {
      const [, local, remote, state, , , , , , inode] = line.trim().split(/\s+/);
      return state === ESTABLISHED && inode === NOBODY ? [`${portOf(local)} ${portOf(remote)}`] : [];
    }),
  );
}
