import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RESTORE_CONFIG, writeCriuConfig } from './criu-config.ts';
import { requireWholePages } from './page-images.ts';
import { renamedUts } from './uts-image.ts';

const IMAGES = 'checkpoint';
const CLONES = '.clones';
const CRIU_CONFIG_FILE = 'criu.conf';

/** CRIU's images for one clone, until it is disposed of. */
export interface CloneImages extends AsyncDisposable {
  /** Absolute. */
  readonly folder: string;
  /** What CRIU is told beside what runc tells it. */
  readonly criuConfig: string;
}

/**
 * A folder of hard links to the unpacked images: no byte of them is copied. The kernel's host name comes out of the
 * dump, so that one small image is written again. CRIU opens some images when it has already left the host's file
 * system for the container's: it finds what is in the folder that it holds open, but could not follow symbolic links
 * out of it.
 */
export async function cloneImages(checkpoint: string, hostname: string): Promise<CloneImages> {
  // Inside the checkpoint's own folder: what a killed process leaves goes with it.
  const folder = join(checkpoint, CLONES, randomBytes(8).toString('hex'));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  const source = join(checkpoint, IMAGES);
  await requireWholePages(source);
  const criuConfig = join(folder, CRIU_CONFIG_FILE);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    await writeCriuConfig(criuConfig, RESTORE_CONFIG);
    await Promise.all(
      (await readdir(source)).map(async (image) => {
        const renamed = image.startsWith('utsns-')
          ? renamedUts(await readFile(join(source, image)), hostname)
          : undefined;
        if (renamed === undefined) await link(join(source, image), join(folder, image));
        else await writeFile(join(folder, image), renamed, { mode: 0o600 });
      }),
    );
  } catch (error) {
    await remove();
    throw error;
  }
  return { folder, criuConfig, [Symbol.asyncDispose]: remove };
}
