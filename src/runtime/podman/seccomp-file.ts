import { randomBytes } from 'node:crypto';
import { open, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SeccompOption } from '../docker/dialect.ts';

/**
 * Podman takes the path of a profile only, and reads it while it creates the container. The file has no name any more
 * when Podman is told of it: nothing is left, whatever dies, and a service with another /tmp finds it all the same.
 */
export async function seccompFile(profile: string): Promise<SeccompOption> {
  const path = join(tmpdir(), `try-it-now-seccomp-${randomBytes(8).toString('hex')}`);
  const file = await open(path, 'wx+', 0o600);
  try {
    await unlink(path);
    await file.writeFile(profile);
  } catch (error) {
    await file.close();
    throw error;
  }
  return {
    option: `seccomp=/proc/${process.pid}/fd/${file.fd}`,
    [Symbol.asyncDispose]: () => file.close(),
  };
}
