import Table from 'cli-table3';

/** Columns and nothing else: for people, and for awk. */
export function plainTable(head: string[]): InstanceType<typeof Table> {
  const none = Object.fromEntries(['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right', 'left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid'].map((name) => [name, '']));
  return new Table({ head, chars: { ...none, middle: '  ' }, style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 } });
}

export function printJson(value: unknown): void {
  console.log(JSON.stringify(value, undefined, 2));
}
