/** Quoted for SQL. Table names come from a seed and may hold anything. */
export function quoted(identifier: string): string {
  return `\`${identifier.replaceAll('`', '``')}\``;
}

/** As GRANT takes a database's name: there `_` and `%` stand for other characters too, unless they are escaped. */
export function quotedForGrant(database: string): string {
  return quoted(database.replaceAll(/[\\_%]/g, (character) => `\\${character}`));
}
