import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const TIMEOUT_MS = 10_000;
/**
 * A path and a value each. The kernel's own files, so that no program but a shell is needed, and nothing but what the
 * shell has built in, so that none is started; it sees no text of ours as code.
 */
const WRITE = 'while [ $# -gt 0 ]; do printf %s "$2" > "/proc/sys/$1" || exit 1; shift 2; done';

/**
 * Sets what a cold start sets in the network of its container, IPv6 switched off among it: a restore gets a network
 * that Podman has made again, and nobody sets it there. Throws the error of the command.
 */
export async function setSysctls(pid: number, sysctls: Readonly<Record<string, string>>): Promise<void> {
  // Those of the other namespaces are in the dump.
  const settings = Object.entries(sysctls).filter(([key]) => key.startsWith('net.'));
  if (settings.length === 0) return;
  await promisify(execFile)(
    'nsenter',
    [
      ...['--target', String(pid), '--net', '/bin/sh', '-c', WRITE, 'sysctls'],
      ...settings.flatMap(([key, value]) => [key.replaceAll('.', '/'), value]),
    ],
    { timeout: TIMEOUT_MS },
  );
}
