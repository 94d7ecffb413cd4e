import { Pool } from 'undici';
import type { Acquired } from '../bench/load.ts';

/** Acquires over so many connections at once. Returns how many came a second. */
export async function acquireAtOnce(
  api: string,
  count: number,
  connections: number,
): Promise<{ readonly perSecond: number; readonly ids: readonly string[] }> {
  const pool = new Pool(api, { connections });
  const ids: string[] = [];
  let left = count;
  const startedAt = performance.now();
  const acquire = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const { statusCode, body } = await pool.request({ method: 'POST', path: '/api/v1/demo/acquire' });
      const text = await body.text();
      if (statusCode >= 300) throw new Error(`acquire answered ${statusCode}: ${text}`);
      ids.push((JSON.parse(text) as Acquired).id);
    }
  };
  await Promise.all(Array.from({ length: connections }, acquire));
  const perSecond = count / ((performance.now() - startedAt) / 1_000);
  await pool.close();
  return { perSecond, ids };
}
