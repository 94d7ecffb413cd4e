import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { DatabaseSeed } from '../domain/database.ts';
import { TryItNowError, describeError } from '../domain/errors.ts';

/** The seed's file, as it was when the catalogue was read. Throws database_failed. */
export async function readSeed({ seedFile, seedDigest }: DatabaseSeed): Promise<Buffer> {
  let sql: Buffer;
  try {
    sql = await readFile(seedFile);
  } catch (error) {
    throw new TryItNowError('database_failed', `The seed ${seedFile} cannot be read (${describeError(error)})`);
  }
  if (!createHash('sha256').update(sql).digest('hex').startsWith(seedDigest)) {
    throw new TryItNowError(
      'database_failed',
      `The seed ${seedFile} was changed after this server read its catalogue; restart the server to use it`,
    );
  }
  return sql;
}
