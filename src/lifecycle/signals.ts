import type { Log } from '../domain/log.ts';

/** Resolves with the first SIGINT or SIGTERM. From then on a second one ends the process at once. */
export async function untilStopped(log: Log): Promise<NodeJS.Signals> {
  const signal = await new Promise<NodeJS.Signals>((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, resolve);
  });
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.removeAllListeners(name);
    process.once(name, () => {
      log.warn({ signal: name }, 'Told to stop a second time; ending at once');
      // 128 + the signal's number, as a shell reports it.
      process.exit(name === 'SIGINT' ? 130 : 143);
    });
  }
  return signal;
}
