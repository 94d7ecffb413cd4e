import { createInterface } from 'node:readline/promises';
import { TryItNowError } from '../domain/errors.ts';

/** Asks on the terminal; no is the answer to everything but y. Throws invalid_request where nobody can be asked. */
export async function confirmed(question: string): Promise<boolean> {
  if (!process.stdin.isTTY)
    throw new TryItNowError('invalid_request', `${question} Nobody can be asked here; say so with --yes.`);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim());
  } finally {
    terminal.close();
  }
}
