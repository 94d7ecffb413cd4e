import { createServer } from 'node:net';
import { sleep } from '../../lifecycle/sleep.ts';

/** An engine's helper process holds the port of a container for a moment after the container is gone. */
const PATIENCE_MS = 3_000;
const POLL_MS = 20;

/** The system's own words for why the port cannot be listened on at 127.0.0.1, nor soon; undefined when it can. */
export async function whyPortTaken(port: number, patienceMs = PATIENCE_MS): Promise<string | undefined> {
  const giveUpAt = performance.now() + patienceMs;
  for (;;) {
    const why = await whyNow(port);
    if (why === undefined || performance.now() >= giveUpAt) return why;
    await sleep(POLL_MS);
  }
}

function whyNow(port: number): Promise<string | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', (error) => resolve(error.message));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}
