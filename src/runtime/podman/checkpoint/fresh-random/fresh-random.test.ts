import { describe, expect, it } from 'vitest';
import { exportedFunctions } from './elf-symbols.ts';
import { mappedFiles, mappedIn, threadsOf } from './mapped-files.ts';

describe('functions that a file offers', () => {
  it('are found in a library that this process has in its memory', async () => {
    const libc = (await mappedFiles(process.pid)).find(({ name }) => /^(libc\.so|ld-musl|libc-)/.test(name));
    if (libc === undefined) throw new Error('Node runs without a C library');
    const found = await exportedFunctions(libc.link, ['getpid', 'malloc', 'there_is_no_such_function']);
    expect([...found.keys()]).toEqual(['getpid', 'malloc']);
    for (const address of found.values()) expect(address).toBeGreaterThan(0);
    expect(new Set(found.values()).size).toBe(2);
  });

  it('are none in a file that is no program', async () => {
    expect(await exportedFunctions(import.meta.filename, ['getpid'])).toEqual(new Map());
    expect(await exportedFunctions('/dev/null', ['getpid'])).toEqual(new Map());
  });
});

it('tells which files a process has in its memory, and where each begins', () => {
  const maps = [
    '00400000-01a12000 r--p 00000000 fe:00 4711                              /usr/bin/node',
    '01a12000-02b34000 r-xp 01612000 fe:00 4711                              /usr/bin/node',
    '7f12511c5000-7f125128a000 r--p 00000000 00:28 1641354                    /usr/lib/libcrypto.so.3 (deleted)',
    '7f1252000000-7f1252021000 rw-p 00000000 00:00 0 ',
    '7ffd0a9c4000-7ffd0a9e5000 rw-p 00000000 00:00 0                          [stack]',
  ].join('\n');
  expect(mappedIn(maps, 12)).toEqual([
    { name: 'node', start: 0x400000, link: '/proc/12/map_files/400000-1a12000' },
    { name: 'libcrypto.so.3', start: 0x7f12511c5000, link: '/proc/12/map_files/7f12511c5000-7f125128a000' },
  ]);
});

it('finds nothing of a process that there is not', async () => {
  expect(await mappedFiles(2 ** 30)).toEqual([]);
  expect(await threadsOf(2 ** 30)).toEqual([]);
  expect(await threadsOf(process.pid)).toContain(process.pid);
});
