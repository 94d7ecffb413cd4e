import { rmSync } from 'node:fs';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** Files may still be on their way into a folder that is removed. */
const RETRIES = 10;

/** Does the work. A signal that ends the process meanwhile removes these paths first. */
export async function removedAtSignals<T>(paths: readonly string[], work: () => Promise<T>): Promise<T> {
  const forget = (): void => SIGNALS.forEach((signal) => process.off(signal, end));
  const end = (signal: NodeJS.Signals): void => {
    forget();
    for (const path of paths) rmSync(path, { recursive: true, force: true, maxRetries: RETRIES });
    process.kill(process.pid, signal);
  };
  for (const signal of SIGNALS) process.on(signal, end);
  try {
    return await work();
  } finally {
    forget();
  }
}
