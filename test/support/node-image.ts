import { execFile } from 'node:child_process';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { loadTinyImage, type TinyImage } from './tiny-image.ts';

/** The tiny image with the Node that runs the tests, and with an app of one CommonJS file that listens on port 80. */
export async function loadNodeImage(socketPath: string, app: string): Promise<TinyImage> {
  const command = [process.execPath, '/app.cjs'];
  return loadTinyImage(socketPath, command, undefined, undefined, async (root) => {
    await copyWithLibraries(process.execPath, root);
    await writeFile(join(root, 'app.cjs'), app);
  });
}

/** Puts a program of this host into the folder that becomes the root of an image. */
export async function copyWithLibraries(program: string, root: string): Promise<void> {
  const { stdout } = await promisify(execFile)('ldd', [program]);
  const libraries = [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, path = '']) => path);
  for (const path of [program, ...libraries]) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await copyFile(path, join(root, path));
  }
}
