import { passed, standInLine } from '../support/waiting-line.ts';
import { figure, median, percentile, type Figure } from './figures.ts';

const WAITERS = 50;
const EVERY_MS = 2_000;
/** Below a second, a whole second is no estimate. */
const LEAST_MS = 1_000;

/** Fifty people, an instance each two seconds, two servers of which one is killed on the way. */
export async function benchWaiting(): Promise<Figure[]> {
  const served = await standInLine({ waiters: WAITERS, everyMs: EVERY_MS, killAfter: WAITERS / 2 });
  const errors: number[] = [];
  for (const { number, told } of served) {
    for (const { etaMs, cameAfterMs } of told)
      if (cameAfterMs >= LEAST_MS) errors.push(Math.abs(etaMs - cameAfterMs) / cameAfterMs);
    const [first] = told;
    if (first !== undefined && number % 5 === 0)
      console.log(
        `Number ${number}, first told at position ${first.position}: ${(first.etaMs / 1000).toFixed(0)} s; it came ` +
          `after ${(first.cameAfterMs / 1000).toFixed(1)} s`,
      );
  }
  return [
    figure(`served before their turn, of ${WAITERS} at two servers, one killed`, passed(served).length, '', {
      atMost: 0,
    }),
    figure('error of what they were told, median', median(errors) * 100, '%', { atMost: 25 }),
    figure('error of what they were told, p90', percentile(errors, 0.9) * 100, '%'),
    figure('times they were told', errors.length, ''),
  ];
}
