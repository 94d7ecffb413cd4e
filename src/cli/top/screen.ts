const ESC = '\u001b[';
/** A second screen, so that what stood in the terminal is there again afterwards; and no cursor. */
const ENTER = `${ESC}?1049h${ESC}?25l`;
const LEAVE = `${ESC}?25h${ESC}?1049l`;
const HOME = `${ESC}H`;
const REST_OF_LINE = `${ESC}K`;
const REST_OF_SCREEN = `${ESC}J`;
const CTRL_C = '\u0003';
const [COLUMNS, ROWS] = [80, 24];
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface Screen {
  /** Aborted when the user wants to leave. */
  readonly left: AbortSignal;
  draw(): void;
  /** Puts the terminal back as it was. Again is fine. */
  close(): void;
}

/**
 * Takes the terminal over, and gives it back whatever ends the process, short of SIGKILL. `lines`
 * is asked at each drawing.
 */
export function openScreen(lines: (columns: number, rows: number) => readonly string[]): Screen {
  const { stdin, stdout } = process;
  const leaving = new AbortController();
  const leave = (): void => leaving.abort();
  const onKey = (key: Buffer): void => {
    if (['q', 'Q', CTRL_C].includes(key.toString())) leave();
  };
  // One write a frame, over the one before: nothing flickers.
  const draw = (): void => {
    if (leaving.signal.aborted) return;
    // A terminal that does not know its size says 0.
    stdout.write(
      `${HOME}${lines(stdout.columns || COLUMNS, stdout.rows || ROWS)
        .map((line) => `${line}${REST_OF_LINE}`)
        .join('\r\n')}${REST_OF_SCREEN}`,
    );
  };
  let open = true;
  const close = (): void => {
    if (!open) return;
    open = false;
    stdout.off('resize', draw);
    stdin.off('data', onKey).setRawMode(false).pause();
    for (const name of SIGNALS) process.off(name, leave);
    process.off('exit', close);
    stdout.write(LEAVE);
  };
  stdout.write(ENTER);
  stdin.setRawMode(true).on('data', onKey).resume();
  stdout.on('resize', draw);
  for (const name of SIGNALS) process.on(name, leave);
  // Also when something is thrown where nobody catches it.
  process.on('exit', close);
  draw();
  return { left: leaving.signal, draw, close };
}
