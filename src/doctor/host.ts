import { readFile, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { NotChecked, failure, ok, warning, type Check, type Observation } from './check.ts';

const GIB = 2 ** 30;
const LOW = { share: 0.1, bytes: GIB };
const FULL = { share: 0.02, bytes: GIB / 4 };
/** Two for each visitor's connection, some for the parts. */
const FEW_FILES = 4_096;

/** A folder whose disk matters; undefined where it is not known or not on this host. */
export interface Folder {
  readonly what: string;
  readonly path: () => Promise<string | undefined>;
  readonly remedy: string;
  /** With less free, nothing more is started. */
  readonly reserveBytes?: number;
}

export function diskChecks(folders: readonly Folder[]): Check[] {
  return folders.map((folder) => ({ part: 'Disk', what: folder.what, run: async () => [await disk(folder)] }));
}

async function disk({ what, path: find, remedy, reserveBytes = 0 }: Folder): Promise<Observation> {
  const path = await find();
  if (path === undefined) throw new NotChecked('where it is could not be found out');
  const { bavail, blocks, bsize } = await statfs(await existing(path));
  const [free, all] = [bavail * bsize, blocks * bsize];
  const seen = `${(free / GIB).toFixed(1)} GiB of ${(all / GIB).toFixed(1)} GiB free at ${path}`;
  const below = (line: typeof LOW): boolean => free < line.bytes || (free < all * line.share && free < 20 * line.bytes);
  if (free < reserveBytes)
    return failure(what, `${seen}, less than DISK_RESERVE: no more instances are started`, remedy);
  if (below(FULL)) return failure(what, seen, remedy);
  return below(LOW) ? warning(what, seen, remedy) : ok(what, seen);
}

async function existing(path: string): Promise<string> {
  return statfs(path).then(
    () => path,
    () => (dirname(path) === path ? path : existing(dirname(path))),
  );
}

/** `metrics`: the server's own, whose limit counts; undefined while it is unavailable. */
export function fileLimitCheck(metrics: () => Promise<string | undefined>): Check {
  return {
    part: 'Host',
    what: 'open files',
    run: async () => {
      const text = await metrics();
      const [most, open] = [valueOf(text, 'process_max_fds'), valueOf(text, 'process_open_fds')];
      const limit =
        most ?? Number(/^Max open files\s+(\d+)/m.exec(await readFile('/proc/self/limits', 'utf8'))?.[1] ?? Infinity);
      const whose = most === undefined ? 'for this shell' : `for the server, ${open ?? '?'} open`;
      const remedy =
        'Raise it: LimitNOFILE=65536 in the unit (`systemctl edit try-it-now`), or `ulimit -n 65536` before the start.';
      if (open !== undefined && open > limit * 0.9) return [failure('open files', `at most ${limit} ${whose}`, remedy)];
      return [
        limit < FEW_FILES
          ? warning('open files', `at most ${limit} ${whose}`, remedy)
          : ok('open files', `at most ${limit} ${whose}`),
      ];
    },
  };
}

export function valueOf(metrics: string | undefined, series: string): number | undefined {
  const found = metrics === undefined ? undefined : new RegExp(`^${series} (\\S+)$`, 'm').exec(metrics)?.[1];
  return found === undefined ? undefined : Number(found);
}
