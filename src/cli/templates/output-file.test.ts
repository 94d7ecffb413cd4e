import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { writeTemplateFile } from './output-file.ts';

it('prints a template that cannot be saved any more', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tin-output-'));
  const printed = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  try {
    const file = join(folder, 'app.yaml');
    await writeFile(file, 'mine');
    for (const [place, why] of [
      [file, 'is there already'],
      [join(folder, 'gone', 'app.yaml'), 'ENOENT'],
    ] as const) {
      expect(() => writeTemplateFile('templates: []\n', place)).toThrow(why);
      expect(printed.mock.lastCall).toEqual(['templates: []\n']);
    }
    expect(printed).toHaveBeenCalledTimes(2);
    expect(await readFile(file, 'utf8')).toBe('mine');
  } finally {
    printed.mockRestore();
    await rm(folder, { recursive: true });
  }
});
