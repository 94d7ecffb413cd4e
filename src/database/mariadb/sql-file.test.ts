import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { requireClient } from './sql-file.ts';

it('tells of a host without the program that loads seeds, and what to install', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tin-client-'));
  try {
    const program = join(folder, 'mariadb');
    const missing = { code: 'database_failed', message: expect.stringContaining('mariadb-client') as string };
    await expect(requireClient(`/nowhere:${folder}`)).rejects.toMatchObject(missing);
    await writeFile(program, '');
    await expect(requireClient(folder)).rejects.toMatchObject(missing);
    await chmod(program, 0o755);
    await requireClient(`/nowhere:${folder}`);
  } finally {
    await rm(folder, { recursive: true });
  }
});
