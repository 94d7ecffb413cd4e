import { createServer } from 'node:net';
import { sleep } from '../../lifecycle/sleep.ts';

/** An engine's helper process holds the port of a container for a moment after the container is gone. */
const PATIENCE_MS = 3_000;
const POLL_MS = 20;

export interface HostPort {
  /** Of this host. */
  readonly address: string;
  readonly port: number;
}

/** The system's own words for why the port cannot be listened on, nor soon; undefined when it can. */
export async function whyPortTaken(at: HostPort, patienceMs = PATIENCE_MS): Promise<string | undefined> {
  const giveUpAt = performance.now() + patienceMs;
  for (;;) {
    const why = await whyNow(at);
    if (why === undefined || performance.now() >= giveUpAt) return why;
    await sleep(POLL_MS);
  }
}

function whyNow({ address, port }: HostPort): Promise<string | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', (error) => resolve(error.message));
    server.listen({ host: address, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}
