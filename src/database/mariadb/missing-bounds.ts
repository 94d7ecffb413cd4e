import type { Session } from './session.ts';

const MOST_PREPARED = 1_048_576;
/** What no session should have alone; without any bound, the server says many times more. */
const LARGEST_SESSION_BYTES = 2 ** 30;

const SETTINGS = `SELECT @@performance_schema AS whose, @@max_session_mem_used > ${LARGEST_SESSION_BYTES} AS unbounded,
  @@max_prepared_stmt_count AS statements`;

/** What my.cnf lacks for the guard to see, and the server to bound, what one instance takes of the others' memory. */
export async function missingBounds(session: Session): Promise<readonly string[]> {
  const [row] = await session.run("Asking for the server's bounds", SETTINGS);
  return [
    ...(Number(row?.['whose']) === 1
      ? []
      : ['performance-schema=ON', "performance-schema-instrument='memory/memory/%=ON'"]),
    ...(Number(row?.['unbounded']) === 0 ? [] : ['max-session-mem-used=128M']),
    ...(Number(row?.['statements']) >= MOST_PREPARED ? [] : [`max-prepared-stmt-count=${MOST_PREPARED}`]),
  ];
}
