import { describeError } from '../../../domain/errors.ts';
import { statusOf } from '../../docker/engine-errors.ts';
import { whyPortTaken, type HostPort } from '../../docker/host-port.ts';
import { libpod } from '../libpod-api.ts';

/** More than Podman's service allocates between two collections; measured, 4 MB took nine requests, 16 MB one. */
const NUDGE_BYTES = 24 * 1024 * 1024;
const TRIES = 8;
/** Helpers of Podman's hold it as well, and let go by themselves. */
const LOOK_AGAIN_MS = 50;

/**
 * Waits until the port of a restore that failed can be used again; the cold start that follows needs it. Podman (4.3 at
 * least) holds the port open itself during a start, forgets to close it when the start fails, and so keeps it until its
 * garbage collector comes by, which takes minutes. A large request that it can only refuse makes it come at once.
 * Returns why the port is still taken; undefined when it is free.
 */
export async function whyPortStays(socketPath: string, at: HostPort): Promise<string | undefined> {
  for (let attempt = 0; ; attempt += 1) {
    const why = await whyPortTaken(at, LOOK_AGAIN_MS);
    if (why === undefined || attempt >= TRIES) return why;
    try {
      // A name where a whole description is expected: refused before anything is made.
      await libpod(socketPath, 'POST', '/containers/create', 'x'.repeat(NUDGE_BYTES));
    } catch (error) {
      if (statusOf(error) === undefined) return describeError(error);
    }
  }
}
