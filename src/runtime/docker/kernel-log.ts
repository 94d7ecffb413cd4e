import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

const KERNEL_LOG = '/dev/kmsg';
/** The longest that the kernel hands out as one record. */
const RECORD_BYTES = 8_192;
/** More than any kernel keeps. */
const MOST_RECORDS = 200_000;

/**
 * Whether the kernel's log says that it killed a process of this container for memory. An engine may not know: Podman
 * says nothing of it where the host has cgroup v1, and the container's own counters end with it. False as well where
 * the log cannot be read, or no longer goes back so far.
 */
export async function killedForMemory(containerId: string): Promise<boolean> {
  const file = await open(KERNEL_LOG, constants.O_RDONLY | constants.O_NONBLOCK).catch(() => undefined);
  if (file === undefined) return false;
  const buffer = Buffer.alloc(RECORD_BYTES);
  try {
    for (let records = 0; records < MOST_RECORDS; records += 1) {
      const length = await file.read(buffer, 0, RECORD_BYTES, null).then(
        ({ bytesRead }) => bytesRead,
        (error: unknown) => {
          // Its record was overwritten meanwhile; the next read gives the oldest that is left.
          if (error instanceof Error && 'code' in error && error.code === 'EPIPE') return 0;
          throw error;
        },
      );
      if (tellsOfKill(buffer.toString('utf8', 0, length), containerId)) return true;
    }
  } catch {
    // EAGAIN: that was the last one.
  } finally {
    await file.close();
  }
  return false;
}

/** `oom-kill:constraint=CONSTRAINT_MEMCG,…,oom_memcg=/libpod_parent/libpod-<id>,task_memcg=…`, since Linux 5.0. */
export function tellsOfKill(record: string, containerId: string): boolean {
  return record.includes('oom-kill:constraint=CONSTRAINT_MEMCG') && ofGroup(record).includes(containerId);
}

/** The group whose limit was reached: that of the whole host's containers is no container's own. */
function ofGroup(record: string): string {
  return /,oom_memcg=([^,\n]*)/.exec(record)?.[1] ?? '';
}
