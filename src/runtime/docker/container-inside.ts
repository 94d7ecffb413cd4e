import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContainerInside } from '../../pool/interfaces/container-runtime.ts';
import { MOST_OF_TABLE, tablePieces } from './kernel-tables.ts';

const LISTENING = '0A';
/** Local and remote address of each that is ESTABLISHED. */
const CONNECTIONS = /^ *\d+: (\S+) (\S+) 01 /gm;
/** Where Docker's own name service listens, in every container of it. */
export const DOCKER_NAME_SERVICE = '127.0.0.11';

/**
 * What the kernel shows of a container's processes, by the host's id of its first one. What cannot be read, since the
 * engine runs on another host or under another user, is undefined.
 */
export async function containerInside(pid: number): Promise<ContainerInside> {
  const sandboxed = await isSandbox(pid);
  const [v4, v6, oomKills, memoryBytes, users] = await Promise.all([
    sandboxed ? undefined : table(pid, 'tcp'),
    sandboxed ? undefined : table(pid, 'tcp6'),
    oomKillsOf(pid),
    workingSetOf(pid),
    sandboxed ? undefined : usersOf(pid),
  ]);
  return {
    listening: v4 === undefined ? undefined : [...listeningSockets(v4), ...listeningSockets(v6 ?? '')],
    oomKills,
    memoryBytes,
    users,
  };
}

/** Of the text of /proc/PID/net/tcp or tcp6, what listens of the app. */
export function listeningSockets(text: string): { readonly address: string; readonly port: number }[] {
  return text.split('\n').flatMap((line) => {
    const [, local = '', , state] = line.trim().split(/\s+/);
    const [address, port] = local.split(':');
    if (state !== LISTENING || address === undefined || port === undefined) return [];
    const socket = { address: addressOf(address), port: parseInt(port, 16) };
    return socket.address === DOCKER_NAME_SERVICE ? [] : [socket];
  });
}

/** Whether it is gVisor's kernel, whose processes and sockets the host's knows nothing of. */
export async function isSandbox(pid: number): Promise<boolean> {
  return (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).startsWith('runsc-sandbox\0');
}

/** Whether anybody on this host has a connection open to this port of it. */
export async function isInUse(hostPort: number): Promise<boolean> {
  const port = hostPort.toString(16).toUpperCase().padStart(4, '0');
  for await (const piece of tablePieces('/proc/self/net/tcp'))
    for (const [, , remote = ''] of piece.matchAll(CONNECTIONS)) if (remote.endsWith(`:${port}`)) return true;
  return false;
}

/** Whether anybody but the container itself has a connection open to its port, as far as it is looked. */
export async function hasVisitor(pid: number, port: number): Promise<boolean> {
  for (const name of ['tcp', 'tcp6']) {
    let length = 0;
    for await (const piece of tablePieces(`/proc/${pid}/net/${name}`)) {
      if (connectionsTo(piece, port).length > 0) return true;
      if ((length += piece.length) > MOST_OF_TABLE) break;
    }
  }
  return false;
}

/** Of the text of /proc/PID/net/tcp or tcp6, the addresses that are connected to this port, its own left out. */
export function connectionsTo(text: string, port: number): string[] {
  return [...text.matchAll(CONNECTIONS)].flatMap(([, local = '', remote = '']) => {
    const [[own = '', at = ''], [from = '']] = [local.split(':'), remote.split(':')];
    if (parseInt(at, 16) !== port || own === from) return [];
    const address = addressOf(from);
    return /^(::ffff:)?127\.|^::1$/.test(address) ? [] : [address];
  });
}

/** Each group of 32 bits is in the host's order, which is little-endian on all that engines run on. */
function addressOf(hex: string): string {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) => [...Buffer.from(word, 'hex')].reverse());
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.every((byte) => byte === 0)) return '::';
  if (bytes.at(-1) === 1 && bytes.slice(0, -1).every((byte) => byte === 0)) return '::1';
  if (bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255) return `::ffff:${bytes.slice(12).join('.')}`;
  return Buffer.from(bytes).toString('hex').match(/.{4}/g)?.join(':') ?? '';
}

/** So much of it as apps have. */
async function table(pid: number, name: string): Promise<string | undefined> {
  let text: string | undefined;
  for await (const piece of tablePieces(`/proc/${pid}/net/${name}`)) {
    text = `${text ?? ''}${piece}`;
    if (text.length > MOST_OF_TABLE) break;
  }
  return text;
}

/** Both layouts: `memory.events` of cgroup v2, `memory.oom_control` of v1. */
async function oomKillsOf(pid: number): Promise<number> {
  const texts = await memoryFiles(pid, 'memory.oom_control', 'memory.events');
  return Math.max(0, ...texts.map((text) => Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0)));
}

/** As `docker stats` counts it: without the inactive part of the page cache. */
async function workingSetOf(pid: number): Promise<number | undefined> {
  const [[used], [stat]] = await Promise.all([
    memoryFiles(pid, 'memory.usage_in_bytes', 'memory.current'),
    memoryFiles(pid, 'memory.stat', 'memory.stat'),
  ]);
  if (used === undefined || stat === undefined) return undefined;
  // With its children's, where v1 tells of both.
  const [, inactive = 0] = /^total_inactive_file (\d+)$/m.exec(stat) ?? /^inactive_file (\d+)$/m.exec(stat) ?? [];
  return Math.max(0, Number(used) - Number(inactive));
}

/** Of all processes in the first one's group; one that ends meanwhile is left out. */
async function usersOf(pid: number): Promise<number[] | undefined> {
  const [processes] = await memoryFiles(pid, 'cgroup.procs', 'cgroup.procs');
  const ids = processes?.match(/\d+/g);
  if (ids === undefined || ids === null) return undefined;
  const statuses = await Promise.all(ids.map((id) => readFile(`/proc/${id}/status`, 'utf8').catch(() => '')));
  const users = statuses.flatMap((status) => /^Uid:\t\d+\t(\d+)/m.exec(status)?.[1] ?? []);
  return [...new Set(users.map(Number))];
}

/** What the memory controller tells of the process's group; empty where it cannot be read. */
async function memoryFiles(pid: number, v1Name: string, v2Name: string): Promise<string[]> {
  const groups = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
  const path = (pattern: RegExp): string => pattern.exec(groups)?.[1] ?? '';
  const [v1, v2] = [path(/^\d+:[^:\n]*\bmemory\b[^:\n]*:(.*)$/m), path(/^0::(.*)$/m)];
  const files = [
    ...(v1 === '' ? [] : [join('/sys/fs/cgroup/memory', v1, v1Name)]),
    ...(v2 === '' ? [] : [join('/sys/fs/cgroup', v2, v2Name)]),
  ];
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => undefined)));
  return texts.filter((text) => text !== undefined);
}
