import { execFile } from 'node:child_process';
import { access, constants, readFile, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const CONTROL = '/sys/class/zram-control';

/** In words; undefined where a test can have swap of its own. */
export const WHY_NO_SWAP = await access(`${CONTROL}/hot_remove`, constants.W_OK).then(
  () => undefined,
  () => 'this host has no zram devices, or we may make none',
);

interface OwnSwap extends AsyncDisposable {
  /** Bytes that lie there. */
  used(): Promise<number>;
}

/** Swap in compressed memory, off again when released. Its priority is the lowest of all. */
export async function ownSwap(bytes: number): Promise<OwnSwap> {
  // Reading it makes a device.
  const number = (await readFile(`${CONTROL}/hot_add`, 'utf8')).trim();
  const device = `/dev/zram${number}`;
  const gone = (): Promise<void> => writeFile(`${CONTROL}/hot_remove`, number);
  try {
    await writeFile(`/sys/block/zram${number}/disksize`, String(bytes));
    await run('mkswap', [device]);
    await run('swapon', ['--priority', '0', device]);
  } catch (error) {
    await gone();
    throw error;
  }
  return {
    used: async () => {
      const line = (await readFile('/proc/swaps', 'utf8')).split('\n').find((each) => each.startsWith(`${device} `));
      return Number(line?.trim().split(/\s+/)[3]) * 1_024;
    },
    [Symbol.asyncDispose]: async () => {
      await run('swapoff', [device]);
      await gone();
    },
  };
}
