import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** A stream of events has no end of its own: anyone who sent it stopped, was ended, or was cut off. */
export class EventsEnded extends Error {
  constructor(cause?: unknown) {
    super('the stream of events ended', { cause });
  }
}

/**
 * Reads a stream of events, one JSON value a line, until the signal is aborted. Throws EventsEnded, what `open` throws,
 * and what `onEvent` throws.
 */
export async function readEvents(
  open: () => Promise<Readable>,
  onEvent: (event: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) return;
  const state = { aborted: false };
  let stop = (): void => undefined;
  const aborted = new Promise<void>((resolve) => {
    stop = () => {
      state.aborted = true;
      resolve();
    };
    signal.addEventListener('abort', stop, { once: true });
  });
  const opening = open();
  try {
    await Promise.race([opening.then((stream) => untilEnd(stream, onEvent)), aborted]);
  } catch (error) {
    // What is cut off by the abort fails in its own way, and perhaps first.
    if (!state.aborted) throw error;
  } finally {
    signal.removeEventListener('abort', stop);
    // Also one that opens only now.
    opening.then(
      (stream) => stream.destroy(),
      () => undefined,
    );
  }
}

async function untilEnd(stream: Readable, onEvent: (event: unknown) => void): Promise<never> {
  return new Promise((_, reject) => {
    const failed = (error: unknown): void => reject(new EventsEnded(error));
    stream.on('error', failed);
    stream.once('close', () => reject(new EventsEnded()));
    stream.once('end', () => reject(new EventsEnded()));
    // It passes the stream's errors on, and they would end the process if nobody listened.
    createInterface({ input: stream, crlfDelay: Infinity })
      .on('error', failed)
      .on('line', (line) => {
        if (line === '') return;
        try {
          onEvent(JSON.parse(line));
        } catch (error) {
          reject(error instanceof Error ? error : new Error('an event cannot be read', { cause: error }));
        }
      });
  });
}
