import Table from 'cli-table3';
import wrapAnsi from 'wrap-ansi';

const GAP = 2;
/** What a terminal that does not tell has. */
const COLUMNS = 80;
/** Beyond it a line is hard to read. */
const WIDEST = 160;

/** Columns and nothing else: for people, and for awk. */
export function plainTable(head: string[]): InstanceType<typeof Table> {
  const none = Object.fromEntries(
    [
      'top',
      'top-mid',
      'top-left',
      'top-right',
      'bottom',
      'bottom-mid',
      'bottom-left',
      'bottom-right',
      'left',
      'left-mid',
      'mid',
      'mid-mid',
      'right',
      'right-mid',
    ].map((name) => [name, '']),
  );
  return new Table({
    head,
    chars: { ...none, middle: ' '.repeat(GAP) },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
}

/**
 * The same as wide as the terminal: the first columns as wide as given, their texts and the
 * last one's broken into lines.
 */
export function fittedTable(head: string[], widths: readonly number[], rows: readonly (readonly string[])[]): string {
  const taken = widths.reduce((sum, width) => sum + width + GAP, 0);
  const last = Math.max(20, Math.min(process.stdout.columns || COLUMNS, WIDEST) - taken);
  const table = plainTable(head);
  for (const row of rows) table.push(row.map((text, at) => wrapAnsi(text, widths[at] ?? last, { hard: true })));
  return table.toString();
}

export function printJson(value: unknown): void {
  console.log(JSON.stringify(value, undefined, 2));
}
