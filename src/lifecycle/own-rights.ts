import { readFileSync, readlinkSync } from 'node:fs';

/** As <linux/capability.h> numbers what is needed beside instances of any user: to see, bound, and restore them. */
const NEEDED: Readonly<Record<string, number>> = {
  CAP_CHOWN: 0,
  CAP_DAC_READ_SEARCH: 2,
  CAP_KILL: 5,
  CAP_NET_ADMIN: 12,
  CAP_NET_RAW: 13,
  CAP_SYS_PTRACE: 19,
  CAP_SYS_ADMIN: 21,
  CAP_SYS_NICE: 23,
};
/** What no container is started without: a unit that leaves these leaves the others of it, too. */
const STARTS: Readonly<Record<string, number>> = { CAP_DAC_OVERRIDE: 1, CAP_SETUID: 7, CAP_MKNOD: 27 };
/** Of the host itself. Who is in another one sees no process of an instance, with any right. */
const HOSTS_NAMESPACE = 'pid:[4026531836]';

/**
 * Which of the rights that watching and restoring instances takes this process does not have, as with a unit of an
 * older version. None where it sees the processes of its container alone: they would not help.
 */
export function missingRights(): readonly string[] {
  try {
    return readlinkSync('/proc/self/ns/pid') === HOSTS_NAMESPACE
      ? missingIn(readFileSync('/proc/self/status', 'utf8'))
      : [];
  } catch {
    // Not on Linux.
    return [];
  }
}

/** Which rights an engine that this process runs itself, as root, would lack to start containers. */
export function missingToStart(status = readFileSync('/proc/self/status', 'utf8')): readonly string[] {
  return process.getuid?.() === 0 ? missingIn(status, STARTS) : [];
}

/** `status`: the text of /proc/PID/status. */
export function missingIn(status: string, needed = NEEDED): readonly string[] {
  const rights = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  return Object.keys(needed).filter((name) => ((rights >> BigInt(needed[name] ?? 0)) & 1n) === 0n);
}
