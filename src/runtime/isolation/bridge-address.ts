import { readFile } from 'node:fs/promises';
import { findProgram, run } from './programs.ts';

/** NET_ADDR_SET of the kernel: somebody chose it. */
const CHOSEN = '3';

/**
 * Has the bridge keep the address on the wire that it has. Unless one was set, the kernel gives it another whenever the
 * port that it had that of goes; what is on the bridge still sends to the old one then, and for seconds nobody reaches
 * it. Docker sets one, Podman up to 4.3 does not. Throws an error where that cannot be done.
 */
export async function keepBridgeAddress(bridge: string): Promise<void> {
  const folder = `/sys/class/net/${bridge}`;
  const [kind, address] = await Promise.all(
    // Undefined: it has gone, with the last that was on it.
    [`${folder}/addr_assign_type`, `${folder}/address`].map((file) => readFile(file, 'utf8').catch(() => undefined)),
  );
  if (kind === undefined || address === undefined || kind.trim() === CHOSEN) return;
  const program = findProgram('ip');
  if (program === undefined) throw new Error('the program ip is not installed');
  await run(program, ['link', 'set', 'dev', bridge, 'address', address.trim()]);
}
