import { execFile } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import { promisify } from 'node:util';
import { findProgram } from './programs.ts';

const TIMEOUT_MS = 10_000;

/**
 * The ports of a bridge that still pass frames to each other: by them, an instance learns from ARP which addresses its
 * neighbours have. Empty where there is no such bridge.
 */
export async function openPorts(bridge: string): Promise<string[]> {
  const folder = `/sys/class/net/${bridge}/brif`;
  const ports = await readdir(folder).catch(() => []);
  const isolated = await Promise.all(
    // Undefined: it has gone since.
    ports.map((port) => readFile(`${folder}/${port}/isolated`, 'utf8').catch(() => undefined)),
  );
  return ports.filter((_, index) => isolated[index]?.trim() === '0');
}

/**
 * Has the bridge pass frames between the host and each port, and none from port to port. By a program, since a server
 * that may change networks may all the same see /sys read-only. Throws an error where that cannot be done.
 */
export async function isolatePorts(bridge: string): Promise<void> {
  const ports = await openPorts(bridge);
  if (ports.length === 0) return;
  const program = findProgram('ip');
  if (program === undefined) throw new Error('the program ip is not installed');
  for (const port of ports) {
    const command = ['link', 'set', 'dev', port, 'type', 'bridge_slave', 'isolated', 'on'];
    await promisify(execFile)(program, command, { timeout: TIMEOUT_MS }).catch(async (error: unknown) => {
      if ((await openPorts(bridge)).includes(port)) throw error;
    });
  }
}
