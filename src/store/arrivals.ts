import type { Redis as Valkey } from 'iovalkey';
import { BUCKET_MS, type Bucket } from '../domain/stock-for.ts';
import { keys } from './keys.ts';
import { storedNumber } from './stored-number.ts';

const HOUR_MS = 3_600_000;
/** A bucket that has just begun says little of its rate. */
const SHORTEST_MS = 10_000;

/** By this process's clock: it only says which key a click is counted in, for as long as that is kept. */
export function thisHour(): number {
  return hourOf(Date.now());
}

function hourOf(ms: number): number {
  return Math.floor(ms / HOUR_MS);
}

/** Of a template's clicks, the oldest bucket first. By the store's clock; `nowMs` ends the bucket that is not over. */
export async function readArrivals(
  client: Valkey,
  template: string,
  { fromMs, toMs, nowMs }: { readonly fromMs: number; readonly toMs: number; readonly nowMs: number },
): Promise<Bucket[]> {
  const hours: number[] = [];
  for (let hour = hourOf(fromMs); hour <= hourOf(toMs); hour += 1) hours.push(hour);
  const found = await Promise.all(hours.map((hour) => client.hgetall(keys.arrivals(template, hour))));
  // The clocks of two servers may differ about the hour.
  const count = (field: string): number => found.reduce((sum, counts) => sum + (storedNumber(counts[field]) ?? 0), 0);
  const buckets: Bucket[] = [];
  for (let at = Math.floor(fromMs / BUCKET_MS); at * BUCKET_MS < toMs; at += 1) {
    const spanMs = Math.max(SHORTEST_MS, Math.min(BUCKET_MS, nowMs - at * BUCKET_MS));
    buckets.push({ clicks: demand(count(`${at}`), count(`${at} missed`)), spanMs });
  }
  return buckets;
}

/**
 * Who found nothing and was not waiting may have been one program that asks again and again: at most as many more are
 * believed as were served, so that a pool grows by it only as fast as it hands out.
 */
function demand(served: number, missed: number): number {
  return served + Math.min(missed, Math.max(served, 1));
}
