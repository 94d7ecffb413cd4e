import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { describeError } from '../domain/errors.ts';

/**
 * Reads a stream of events, one JSON value a line, until the signal is aborted. Throws when it ends or breaks before that:
 * a stream of events has no end of its own.
 */
export async function readEvents(open: () => Promise<Readable>, onEvent: (event: unknown) => void, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  let stop = (): void => undefined;
  const aborted = new Promise<'aborted'>((resolve) => {
    stop = () => resolve('aborted');
    signal.addEventListener('abort', stop, { once: true });
  });
  const opening = open();
  try {
    const stream = await Promise.race([opening, aborted]);
    if (stream === 'aborted') return;
    await Promise.race([untilEnd(stream, onEvent), aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
    // Also one that opens only now.
    opening.then((stream) => stream.destroy(), () => undefined);
  }
}

async function untilEnd(stream: Readable, onEvent: (event: unknown) => void): Promise<never> {
  return new Promise((_, reject) => {
    stream.on('error', reject);
    const lines = createInterface({ input: stream, crlfDelay: Infinity });
    lines.on('line', (line) => {
      if (line === '') return;
      try {
        onEvent(JSON.parse(line));
      } catch (error) {
        reject(new Error(`an event cannot be read: ${describeError(error)}`, { cause: error }));
      }
    });
    stream.once('close', () => reject(new Error('the stream of events ended')));
    stream.once('end', () => reject(new Error('the stream of events ended')));
  });
}
