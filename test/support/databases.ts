import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DatabaseEngine, DatabaseSeed } from '../../src/domain/database.ts';
import { findProgram } from '../../src/launcher/child-server.ts';

/** The title of a suite, with the reason when it is skipped. Where CI runs nothing is excused: it runs, and fails. */
export function databaseSuite(
  title: string,
  programs: readonly string[],
): { readonly title: string; readonly skip: boolean } {
  const missing = programs.filter((program) => findProgram(program) === undefined);
  if (missing.length === 0 || process.env['CI'] === 'true') return { title, skip: false };
  const why = `not installed: ${missing.join(', ')}`;
  process.stderr.write(`The tests "${title}" are skipped: ${why}\n`);
  return { title: `${title} (skipped: ${why})`, skip: true };
}

/** An SQL file with its digest, as the catalogue reads it. */
export async function writeSeed(dir: string, engine: DatabaseEngine, sql: string): Promise<DatabaseSeed> {
  const seedDigest = createHash('sha256').update(sql).digest('hex').slice(0, 16);
  const seedFile = join(dir, `${seedDigest}.sql`);
  await writeFile(seedFile, sql);
  return { engine, seedFile, seedDigest };
}
