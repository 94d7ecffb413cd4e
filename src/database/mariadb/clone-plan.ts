import { TryItNowError } from '../../domain/errors.ts';
import { quoted } from './quoted.ts';
import type { Row, Session } from './session.ts';

/** How a database is made from a seed: `copies` is undefined for one whose file has to be run again. */
export interface ClonePlan {
  readonly seed: string;
  readonly characterSet: string;
  readonly collation: string;
  readonly copies: readonly TableCopy[] | undefined;
}

interface TableCopy {
  readonly table: string;
  readonly create: string;
  /** Reads from the seed's database, writes into the current one. */
  readonly fill: string;
}

/** Tables of these are copied by their rows. */
const ROW_ENGINES: ReadonlySet<unknown> = new Set(['InnoDB', 'Aria', 'MyISAM']);

const THINGS_BESIDE_TABLES = `SELECT 1 FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ?
  UNION ALL SELECT 1 FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ?
  UNION ALL SELECT 1 FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ?`;

/**
 * Reads a loaded seed. Tables are made from SHOW CREATE TABLE and not with LIKE, which would lose foreign keys and the
 * next AUTO_INCREMENT. Views, triggers and routines name their definer, so a seed with any of them is run again as the
 * instance's own user; so is one with sequences, versioned tables, or engines that keep their rows elsewhere.
 */
export async function readClonePlan(session: Session, seed: string): Promise<ClonePlan> {
  const what = `Reading the seed ${seed}`;
  const [schema] = await session.run(
    what,
    'SELECT DEFAULT_CHARACTER_SET_NAME AS characterSet, DEFAULT_COLLATION_NAME AS collation FROM ' +
      'information_schema.SCHEMATA WHERE SCHEMA_NAME = ?',
    [seed],
  );
  if (schema === undefined)
    throw new TryItNowError('database_failed', `${what} failed: it is not there; it is loaded again at the next try`);
  const tables = await session.run(
    what,
    'SELECT TABLE_NAME AS name, TABLE_TYPE AS type, ENGINE AS engine FROM information_schema.TABLES WHERE ' +
      'TABLE_SCHEMA = ? ORDER BY TABLE_NAME',
    [seed],
  );
  const beside = await session.run(what, THINGS_BESIDE_TABLES, [seed, seed, seed]);
  const plan = { seed, characterSet: String(schema['characterSet']), collation: String(schema['collation']) };
  if (beside.length > 0 || tables.some(({ type, engine }) => type !== 'BASE TABLE' || !ROW_ENGINES.has(engine)))
    return { ...plan, copies: undefined };
  const columns = await session.run(
    what,
    'SELECT TABLE_NAME AS name, COLUMN_NAME AS `column` FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ' +
      "? AND IS_GENERATED = 'NEVER' ORDER BY ORDINAL_POSITION",
    [seed],
  );
  const copies: TableCopy[] = [];
  for (const { name } of tables) copies.push(await tableCopy(session, seed, String(name), columns));
  return { ...plan, copies };
}

async function tableCopy(
  session: Session,
  seed: string,
  table: string,
  allColumns: readonly Row[],
): Promise<TableCopy> {
  const from = `${quoted(seed)}.${quoted(table)}`;
  const [shown] = await session.run(`Reading the table ${table} of the seed ${seed}`, `SHOW CREATE TABLE ${from}`);
  // Generated columns are computed again; all others are named, for `*` leaves invisible ones out.
  const columns = allColumns
    .filter(({ name }) => name === table)
    .map(({ column }) => quoted(String(column)))
    .join(', ');
  return {
    table,
    create: String(shown?.['Create Table']),
    fill: `INSERT INTO ${quoted(table)} (${columns}) SELECT ${columns} FROM ${from}`,
  };
}

/** An empty database with the seed's defaults. */
export async function createEmpty(
  session: Session,
  name: string,
  { characterSet, collation }: Pick<ClonePlan, 'characterSet' | 'collation'>,
): Promise<void> {
  await session.run(
    `Creating the database ${name}`,
    `CREATE DATABASE ${quoted(name)} CHARACTER SET ${quoted(characterSet)} COLLATE ${quoted(collation)}`,
  );
}

/** All rows in one transaction: one wait for the disk instead of one a table. */
export async function copyTables(session: Session, name: string, copies: readonly TableCopy[]): Promise<void> {
  await session.run(`Opening the database ${name}`, `USE ${quoted(name)}`);
  for (const { table, create } of copies) await session.run(`Creating the table ${table} in ${name}`, create);
  await session.run(`Filling ${name}`, 'START TRANSACTION');
  for (const { table, fill } of copies) await session.run(`Filling the table ${table} in ${name}`, fill);
  await session.run(`Filling ${name}`, 'COMMIT');
}
