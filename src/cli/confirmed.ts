import { createInterface } from 'node:readline/promises';
import { TryItNowError } from '../domain/errors.ts';

/**
 * Asks on the terminal; no is the answer to everything but y, Ctrl-C, Ctrl-D and a terminal that is gone included.
 * Throws invalid_request where nobody can be asked.
 */
export async function confirmed(question: string): Promise<boolean> {
  if (!process.stdin.isTTY)
    throw new TryItNowError('invalid_request', `${question} Nobody can be asked here; say so with --yes.`);
  using _ = toleratingLostTerminal(process.stdin);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  // A question that is broken off is never answered, or fails, by the version of Node.
  const brokenOff = new Promise<undefined>((resolve) => terminal.once('close', () => resolve(undefined)));
  const answered = terminal.question(`${question} [y/N] `).catch(() => undefined);
  try {
    const answer = await Promise.race([answered, brokenOff]);
    if (answer === undefined) console.error();
    return answer !== undefined && /^y(es)?$/i.test(answer.trim());
  } finally {
    terminal.close();
  }
}

/** A terminal that is gone cannot be set back (EIO), and what readline throws of it would end the process as it is. */
function toleratingLostTerminal(input: NodeJS.ReadStream): Disposable {
  const setRawMode = input.setRawMode.bind(input);
  input.setRawMode = (mode) => {
    try {
      return setRawMode(mode);
    } catch {
      return input;
    }
  };
  return {
    [Symbol.dispose]: () => {
      input.setRawMode = setRawMode;
    },
  };
}
