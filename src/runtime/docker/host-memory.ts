import { readFile } from 'node:fs/promises';

/** What it has, and what more could be had without swapping; in bytes. Undefined where that cannot be read. */
export async function hostMemory(): Promise<{ readonly total: number; readonly available: number } | undefined> {
  const [total, available] = await entries('MemTotal', 'MemAvailable');
  return total === undefined || available === undefined ? undefined : { total, available };
}

export async function hostSwap(): Promise<{ readonly total: number; readonly free: number } | undefined> {
  const [total, free] = await entries('SwapTotal', 'SwapFree');
  return total === undefined || free === undefined ? undefined : { total, free };
}

async function entries(...names: readonly string[]): Promise<readonly (number | undefined)[]> {
  const text = await readFile('/proc/meminfo', 'utf8').catch(() => '');
  return names.map((name) => {
    const kib = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1];
    return kib === undefined ? undefined : Number(kib) * 1_024;
  });
}
