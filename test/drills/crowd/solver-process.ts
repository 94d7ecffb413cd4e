/** Solves what it is sent, of many visitors side by side; ends when the drill is gone. */
import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { Challenge } from '../../../packages/client/src/proof.ts';

/** So many hashes of one visitor, then it is the next one's turn. */
const SLICE = 400;

process.on('message', ({ id, challenge }: { readonly id: number; readonly challenge: Challenge }) => {
  solve(challenge).then(
    (altcha) => process.send?.({ id, altcha }),
    (error: unknown) => process.send?.({ id, error: String(error) }),
  );
});
process.on('disconnect', () => process.exit());

async function solve({ algorithm, challenge, maxnumber, salt, signature }: Challenge): Promise<string> {
  for (let number = 0; number <= maxnumber; number += 1) {
    if (number % SLICE === 0) await setImmediate();
    if (createHash('sha256').update(`${salt}${number}`).digest('hex') === challenge)
      return btoa(JSON.stringify({ algorithm, challenge, number, salt, signature }));
  }
  throw new Error('the challenge has no solution');
}
