/** A part of a dump as pg_dump writes it: statements, or the rows that follow a COPY … FROM stdin. */
export type ScriptPart =
  | { readonly kind: 'sql'; readonly text: string; readonly line: number }
  | { readonly kind: 'copy'; readonly statement: string; readonly rows: Buffer; readonly line: number };

export class ScriptError extends Error {}

const NEWLINE = 0x0a;
const COPY = /^COPY\s.*\sFROM\s+stdin(?:\s.*)?;\s*$/i;
/** What pg_dump writes for its own client alone, to be taken as said. */
const IGNORED = /^\\(?:un)?restrict\s+\S+\s*$/;

/**
 * Splits a dump by what has to be said to the server in another way. The statements go to the server as they are, which
 * knows none of the commands of the client psql: nothing in a seed can run a program here.
 */
export function splitScript(script: Buffer): ScriptPart[] {
  const parts: ScriptPart[] = [];
  let sql: string[] = [];
  let sqlFrom = 1;
  let at = 0;
  let number = 0;
  const nextLine = (): Buffer => {
    const end = script.indexOf(NEWLINE, at);
    const line = script.subarray(at, end === -1 ? script.length : end);
    at = end === -1 ? script.length : end + 1;
    number += 1;
    return line;
  };
  const endSql = (): void => {
    const text = sql.join('\n');
    if (text.trim() !== '') parts.push({ kind: 'sql', text, line: sqlFrom });
    sql = [];
    sqlFrom = number + 1;
  };
  while (at < script.length) {
    const line = nextLine().toString('utf8').replace(/\r$/, '');
    if (COPY.test(line)) {
      const statementAt = number;
      number -= 1;
      endSql();
      number += 1;
      parts.push({ kind: 'copy', statement: line, rows: copiedRows(statementAt), line: statementAt });
      sqlFrom = number + 1;
    } else if (line.startsWith('\\')) {
      if (!IGNORED.test(line))
        throw new ScriptError(
          `line ${number} is a command of the client psql (${line.slice(0, 40)}); only SQL is run here`,
        );
      sql.push('');
    } else sql.push(line);
  }
  endSql();
  return parts;

  function copiedRows(statementAt: number): Buffer {
    const from = at;
    while (at < script.length) {
      const lineAt = at;
      const line = nextLine();
      if (line.length <= 3 && line.toString('latin1').trimEnd() === '\\.') return script.subarray(from, lineAt);
    }
    throw new ScriptError(`the rows that begin after line ${statementAt} do not end with a line \\.`);
  }
}
