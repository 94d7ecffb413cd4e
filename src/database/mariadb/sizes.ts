import type { Session } from './session.ts';
import { temporaryFiles } from './temporary-files.ts';

/** In the files of InnoDB, from the server's memory: a few milliseconds for ten thousand tables. */
const INNODB = `SELECT SUBSTRING_INDEX(NAME, '/', 1) AS name, SUM(FILE_SIZE) AS bytes
  FROM information_schema.INNODB_SYS_TABLESPACES GROUP BY 1`;
/** For which the server opens each table of the database. */
const OTHERS = `SELECT TABLE_SCHEMA AS name, SUM(DATA_LENGTH + INDEX_LENGTH) AS bytes FROM information_schema.TABLES
  WHERE TABLE_SCHEMA = ? AND ENGINE <> 'InnoDB' GROUP BY 1`;
const OTHERS_IN_TURN = 4;

/**
 * What databases take on the disk, whichever storage engines their tables use, temporary ones too; empty ones take
 * nothing. A user has the name of the database.
 */
export class Sizes {
  /** As they were found last, of those that were asked for last; the longest ago comes first. */
  #others: ReadonlyMap<string, number> = new Map();
  readonly #seesFiles: boolean;

  /** `seesFiles`: the server's are on this host. */
  constructor(options: { readonly seesFiles: boolean }) {
    this.#seesFiles = options.seesFiles;
  }

  async of(session: Session, names: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const innodb = new Map<string, number>();
    for (const { name, bytes } of await session.run('Asking for the sizes of databases', INNODB))
      innodb.set(String(name), Number(bytes));
    this.#others = await this.#look(session, names);
    const temporary = this.#seesFiles ? await temporaryFiles(session) : new Map<string, number>();
    return new Map(
      names.flatMap((name) => {
        const bytes = (innodb.get(name) ?? 0) + (this.#others.get(name) ?? 0) + (temporary.get(name) ?? 0);
        return bytes === 0 ? [] : [[name, bytes]];
      }),
    );
  }

  async #look(session: Session, names: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const seen = [...this.#others.keys()].filter((name) => names.includes(name));
    const turn = [...names.filter((name) => !this.#others.has(name)), ...seen].slice(0, OTHERS_IN_TURN);
    const found = new Map(
      seen.filter((name) => !turn.includes(name)).map((name) => [name, this.#others.get(name) ?? 0]),
    );
    for (const name of turn) {
      const [row] = await session.run(`Asking for the size of ${name}`, OTHERS, [name]);
      found.set(name, Number(row?.['bytes'] ?? 0));
    }
    return found;
  }
}
