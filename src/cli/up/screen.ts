import ora from 'ora';

export interface Screen {
  start(text: string): void;
  /** How what was started stands. */
  progress(text: string): void;
  /** A line of its own; what was started goes on. */
  tell(text: string): void;
  succeed(text: string): void;
  info(text: string): void;
  warn(text: string): void;
  fail(text: string): void;
}

/**
 * In a terminal a line that moves; elsewhere, a log file or a pipe, a line for everything that is new. What is printed
 * may go to a full disk, or to a reader who is gone: no reason to take everything down.
 */
export function openScreen(): Screen {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  const moves = process.stdout.isTTY && process.stdout.columns > 0;
  const spinner = ora({ stream: process.stdout, discardStdin: false, isEnabled: moves });
  let last = '';
  return {
    start: (text) => {
      last = text;
      spinner.start(text);
    },
    progress: (text) => {
      if (text === last) return;
      last = text;
      if (moves) spinner.text = text;
      else console.log(`- ${text}`);
    },
    tell: (text) => {
      const underWay = spinner.isSpinning;
      spinner.stop();
      console.log(`! ${text}`);
      if (underWay) spinner.start();
    },
    succeed: (text) => void spinner.succeed(text),
    info: (text) => void spinner.info(text),
    warn: (text) => void spinner.warn(text),
    fail: (text) => void spinner.fail(text),
  };
}
