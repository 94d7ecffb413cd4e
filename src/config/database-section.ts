import { DATABASE_ENGINES, DATABASE_SERVERS, type DatabaseEngine } from '../domain/database.ts';
import type { Template } from '../domain/template.ts';
import { oneOf } from './parsers.ts';
import { seedFile } from './paths.ts';
import type { YamlSection } from './yaml-section.ts';

const ENGINE = oneOf(DATABASE_ENGINES);

/** What a template says of its database: `{ engine: mariadb | postgresql, seed: FILE }`. */
export function readDatabase(
  section: YamlSection,
  { folder, databaseEngines }: { readonly folder: string; readonly databaseEngines: readonly DatabaseEngine[] },
): Template['database'] {
  if (!section.has('database')) return undefined;
  const database = section.section('database', ['engine', 'seed']);
  const engine = database.has('engine') ? database.read('engine', ENGINE)?.value : DATABASE_ENGINES[0];
  if (engine !== undefined && !databaseEngines.includes(engine)) {
    const { title, socket } = DATABASE_SERVERS[engine];
    database.report(
      `${database.path} is set but ${socket} is not: there is no server to make a database on; set ` +
        `${socket} to the socket of a ${title} server, or take the section out`,
    );
  }
  const seed = database.require('seed', seedFile(folder))?.value;
  return engine === undefined || seed === undefined ? undefined : { engine, ...seed };
}
