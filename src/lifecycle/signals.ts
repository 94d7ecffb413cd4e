import { closeSync, openSync } from 'node:fs';
import type { Log } from '../domain/log.ts';

/**
 * Resolves with the first SIGINT or SIGTERM. From then on a second one ends the process at once. The listeners stay: a
 * library that restores the terminal would otherwise take itself for the only listener, and end the process midway.
 * `orHungUp`: SIGHUP counts as well, for what is nothing without its terminal; it is sent more than once, so a second
 * one ends nothing.
 */
export function untilStopped(log: Log, { orHungUp = false } = {}): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let told = false;
    if (orHungUp)
      process.on('SIGHUP', () => {
        told = true;
        resolve('SIGHUP');
      });
    for (const name of ['SIGINT', 'SIGTERM'] as const) {
      process.on(name, () => {
        if (!told) {
          told = true;
          resolve(name);
          return;
        }
        log.warn({ signal: name }, 'Told to stop a second time; ending at once');
        // 128 + the signal's number, as a shell reports it.
        process.exit(name === 'SIGINT' ? 130 : 143);
      });
    }
  });
}

/**
 * Calls back at each SIGHUP, which would end the process otherwise. One that the kernel sends because the terminal is
 * gone ends it as SIGTERM does.
 */
export function onHangUp(reload: () => void): void {
  const hadTerminal = process.stdin.isTTY || process.stdout.isTTY;
  process.on('SIGHUP', () => {
    if (hadTerminal && !hasTerminal()) process.kill(process.pid, 'SIGTERM');
    else reload();
  });
}

function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}
