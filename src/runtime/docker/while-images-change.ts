import { setTimeout } from 'node:timers/promises';
import { statusOf } from './engine-errors.ts';

const FAILED = 500;
const PAUSES_MS = [50, 200, 800];

/**
 * Who lists or removes images while others are removed gets 500 of Podman, and Docker's removal too, in many words;
 * asked again, they say how it is. Throws what the engine still says then, and at once what it says with another code.
 */
export async function whileImagesChange<T>(ask: () => Promise<T>): Promise<T> {
  for (const pauseMs of PAUSES_MS)
    try {
      return await ask();
    } catch (error) {
      if (statusOf(error) !== FAILED) throw error;
      await setTimeout(pauseMs);
    }
  return await ask();
}
