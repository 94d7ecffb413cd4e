import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Session } from './session.ts';

/** With the id of the session that has the table. */
const TEMPORARY_TABLE = /^#sql-temptable-[0-9a-f]+-([0-9a-f]+)-/;
const FOLDERS = 'SELECT @@tmpdir AS folders';
const SESSIONS = 'SELECT ID AS id, USER AS user FROM information_schema.PROCESSLIST';

/**
 * What the temporary tables of each user take on the disk, which the server itself tells nobody. Nothing where we may
 * not look into its folder.
 */
export async function temporaryFiles(session: Session): Promise<ReadonlyMap<string, number>> {
  const bytesOf = new Map<string, number>();
  const [row] = await session.run('Asking for the folder of temporary tables', FOLDERS);
  const sizes = await Promise.all(
    String(row?.['folders'])
      .split(':')
      .map(async (folder) => sizesBySession(folder)),
  );
  const found = sizes.flat();
  if (found.length === 0) return bytesOf;
  const sessions = await session.run('Asking whose temporary tables are', SESSIONS);
  const userOf = new Map(sessions.map(({ id, user }) => [Number(id), String(user)]));
  for (const { id, bytes } of found) {
    const user = userOf.get(id);
    if (user !== undefined) bytesOf.set(user, (bytesOf.get(user) ?? 0) + bytes);
  }
  return bytesOf;
}

async function sizesBySession(folder: string): Promise<{ readonly id: number; readonly bytes: number }[]> {
  const names = await readdir(folder).catch(() => []);
  const found = await Promise.all(
    names.map(async (name) => {
      const id = TEMPORARY_TABLE.exec(name)?.[1];
      if (id === undefined) return [];
      // It may be gone by now.
      const file = await stat(join(folder, name)).catch(() => undefined);
      return file === undefined ? [] : [{ id: Number.parseInt(id, 16), bytes: file.size }];
    }),
  );
  return found.flat();
}
