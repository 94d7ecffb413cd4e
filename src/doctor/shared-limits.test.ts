import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { SHARED_LIMITS, sharedLimitsCheck } from './shared-limits.ts';

it('asks for what set-up raises', () => {
  const script = readFileSync('scripts/setup/host-limits.sh', 'utf8');
  const raised: Record<string, number> = Object.fromEntries(
    [...script.matchAll(/^(?:readonly WANTED_HOST_LIMITS=')?(fs\.\S+?)=(\d+)'?$/gm)].map(
      ([, key = '', value]) => [key, Number(value)] as const,
    ),
  );
  expect(raised).toEqual(SHARED_LIMITS);
});

it('names what is too low; what is unlimited or not there is not', async () => {
  const kernel = mkdtempSync(join(tmpdir(), 'try-it-now-limits-'));
  onTestFinished(() => rmSync(kernel, { recursive: true }));
  const set = (key: string, value: number): void => {
    const file = join(kernel, ...key.split('.'));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${value}\n`);
  };
  for (const [key, wanted] of Object.entries(SHARED_LIMITS)) set(key, wanted);
  set('fs.pipe-user-pages-soft', 0);
  rmSync(join(kernel, 'fs', 'aio-max-nr'));
  const check = sharedLimitsCheck(kernel);
  expect(await check.run()).toMatchObject([{ verdict: 'ok' }]);
  set('fs.inotify.max_user_instances', 128);
  expect(await check.run()).toMatchObject([
    {
      verdict: 'warning',
      seen: expect.stringMatching(/together: fs\.inotify\.max_user_instances is 128$/) as string,
      remedy: expect.stringContaining('make setup') as string,
    },
  ]);
});
