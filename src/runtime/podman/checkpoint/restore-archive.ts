import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContainerSpec } from '../../../pool/interfaces/container-runtime.ts';
import type { CloneImages } from './clone-images.ts';
import { cloneSettings, type CloneContext } from './clone-settings.ts';
import { thinArchive, type ThinEntry } from '../../thin-archive.ts';

/** Podman opens these by their names in the container's folder, so links do; afterwards it removes the links alone. */
const SHARED_FILES = ['rootfs-diff.tar', 'deleted.files', 'devshm-checkpoint.tar'];

/**
 * The archive that Podman imports for one clone. Nothing large is in it, only links to the unpacked checkpoint, which
 * all clones share and nobody writes to: a copy of the archive for each restore is what makes Podman's own way slow.
 * Left out are the source's log and addresses. `root` is an absolute path.
 */
export async function restoreArchive(
  root: string,
  images: CloneImages,
  spec: ContainerSpec,
  around: CloneContext,
): Promise<Buffer> {
  const [config, dumpedSpec, present] = await Promise.all([
    readFile(join(root, 'config.dump'), 'utf8'),
    readFile(join(root, 'spec.dump'), 'utf8'),
    readdir(root),
  ]);
  const settings = cloneSettings({ config, spec: dumpedSpec }, spec, around, images.criuConfig);
  return thinArchive([
    { path: 'config.dump', content: settings.config },
    { path: 'spec.dump', content: settings.spec },
    { path: 'checkpoint', target: images.folder },
    ...SHARED_FILES.filter((file) => present.includes(file)).map((file): ThinEntry => ({
      path: file,
      target: join(root, file),
    })),
    ...settings.volumes.map(({ from, to }): ThinEntry => ({
      path: `volumes/${to}.tar`,
      target: join(root, `volumes/${from}.tar`),
    })),
  ]);
}
