import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import type { Client, DatabaseError } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import type { DatabaseSeed } from '../../domain/database.ts';
import { TryItNowError } from '../../domain/errors.ts';
import { readSeed } from '../read-seed.ts';
import type { ServerLogin } from '../server.ts';
import { ScriptError, splitScript, type ScriptPart } from './sql-script.ts';
import { statementFailure, withClient } from './session.ts';

/** PostgreSQL's codes for a role that is not there, and for a right that is missing. */
const ABOUT_ROLES = /^(?:42704|42501)$/;

/**
 * Runs a dump as a role with rights on one database: a seed cannot do more than an instance may. Throws
 * database_unavailable, database_failed.
 */
export async function runSqlFile(
  seed: DatabaseSeed,
  into: { readonly database: string; readonly login: ServerLogin; readonly timeoutMs: number },
): Promise<void> {
  const { database, login, timeoutMs } = into;
  const parts = partsOf(await readSeed(seed), seed);
  await withClient(
    login,
    async (client) => {
      for (const part of parts) {
        try {
          await run(client, part);
        } catch (error) {
          throw seedFailure(seed, part, error, login);
        }
      }
    },
    { database, answerMs: timeoutMs },
  );
}

function partsOf(script: Buffer, { seedFile }: DatabaseSeed): ScriptPart[] {
  try {
    return splitScript(script);
  } catch (error) {
    if (!(error instanceof ScriptError)) throw error;
    throw new TryItNowError('database_failed', `The seed ${seedFile} could not be loaded: ${error.message}`);
  }
}

async function run(client: Client, part: ScriptPart): Promise<void> {
  if (part.kind === 'sql') await client.query(part.text);
  else await pipeline(Readable.from([part.rows]), client.query(copyFrom(part.statement)));
}

function seedFailure(seed: DatabaseSeed, part: ScriptPart, error: unknown, login: ServerLogin): TryItNowError {
  const failure = statementFailure(`Loading the seed ${seed.seedFile}`, error, login);
  if (failure.code !== 'database_failed') return failure;
  const { code, message, position } = error as Partial<DatabaseError>;
  const line =
    part.kind === 'sql' && position !== undefined
      ? `at line ${part.line + part.text.slice(0, Number(position)).split('\n').length - 1}`
      : `in the part that begins at line ${part.line}`;
  const remedy = ABOUT_ROLES.test(code ?? '')
    ? 'It is loaded by a role with rights on its own database alone; make the dump with pg_dump --no-owner ' +
      '--no-privileges'
    : 'Fix the file';
  return new TryItNowError(
    'database_failed',
    `The seed ${seed.seedFile} could not be loaded: ${line}: ${message ?? ''}. ${remedy}`,
    { details: failure.details ?? {} },
  );
}
