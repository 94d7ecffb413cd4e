import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ok, warning, type Check } from './check.ts';

/**
 * What the kernel counts by user number, over all containers and the host together, with what is so high that an
 * instance runs out of its own memory first. scripts/setup/host-limits.sh raises them.
 */
export const SHARED_LIMITS = {
  'fs.inotify.max_user_instances': 1_048_576,
  'fs.inotify.max_user_watches': 8_388_608,
  'fs.pipe-user-pages-soft': 16_777_216,
  'fs.aio-max-nr': 16_777_216,
} as const;

/** `kernel`: the folder of the kernel's settings. */
export function sharedLimitsCheck(kernel = '/proc/sys'): Check {
  const what = 'limits per user';
  return {
    part: 'Host',
    what,
    run: async () => {
      const low = [];
      for (const [key, wanted] of Object.entries(SHARED_LIMITS)) {
        // Not on this kernel, or not to be seen: then nothing is known against it.
        const value = Number(await readFile(join(kernel, ...key.split('.')), 'utf8').catch(() => '0'));
        if (value > 0 && value < wanted) low.push(`${key} is ${value}`);
      }
      return [
        low.length === 0
          ? ok(what, 'high enough that no instance uses up what others need')
          : warning(
              what,
              `one instance can use up what all that run as the same user number have together: ${low.join(', ')}`,
              'Raise them: `make setup` does (/etc/sysctl.d/60-try-it-now.conf).',
            ),
      ];
    },
  };
}
