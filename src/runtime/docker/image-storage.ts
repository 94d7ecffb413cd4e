import type Dockerode from 'dockerode';
import { isByDigest } from '../../domain/image-pin.ts';
import type { ImageStorage, StoredImage } from '../../pool/interfaces/image-storage.ts';
import type { ContainerEngine } from '../engine.ts';
import { engineFailure, statusOf } from './engine-errors.ts';
import { connectEngine } from './engine-runtime.ts';
import { whileImagesChange } from './while-images-change.ts';

const NONE = '<none>';
const [ABSENT, CONFLICT] = [404, 409];

export class EngineImageStorage implements ImageStorage {
  readonly #docker: Dockerode;
  readonly #title: { readonly title: string; readonly socketPath: string };

  constructor({ title }: Pick<ContainerEngine, 'title'>, { socketPath }: { readonly socketPath: string }) {
    this.#docker = connectEngine(socketPath);
    this.#title = { title, socketPath };
  }

  async list(): Promise<readonly StoredImage[]> {
    try {
      const [images, containers] = await Promise.all([this.#all(), this.#docker.listContainers({ all: true })]);
      const used = new Set(containers.map(({ ImageID }) => bare(ImageID)));
      return images.map(({ Id, RepoTags, RepoDigests }) => ({
        id: Id,
        // Podman has those here as well that an image was fetched by.
        names: named(RepoTags).filter((name) => !isByDigest(name)),
        digests: named(RepoDigests),
        used: used.has(bare(Id)),
      }));
    } catch (error) {
      throw engineFailure(error, this.#title, 'list images');
    }
  }

  /** Without force: the engine knows best who uses it. So its names go first: with several, it goes by none of them. */
  async remove({ id, names }: Pick<StoredImage, 'id' | 'names'>): Promise<boolean> {
    try {
      // Podman lists the names by a digest as well, which count as any other, and leaves them out when asked for one.
      const found = (await this.#all()).find(({ Id }) => Id === id);
      const present = named(found?.RepoTags);
      if (present.some((name) => !isByDigest(name) && !names.includes(name))) return false;
      for (const name of present.slice(1)) await this.#untag(name, id);
      await whileImagesChange(() => this.#docker.getImage(id).remove());
      return true;
    } catch (error) {
      if (statusOf(error) === ABSENT) return true;
      if (statusOf(error) === CONFLICT) return false;
      throw engineFailure(error, this.#title, `remove the image ${id}`);
    }
  }

  #all(): Promise<Dockerode.ImageInfo[]> {
    return whileImagesChange(() => this.#docker.listImages({ all: true }));
  }

  /** A name may have been moved since, and then leads to what somebody else needs. */
  async #untag(name: string, id: string): Promise<void> {
    const image = this.#docker.getImage(name);
    try {
      const { Id } = await image.inspect();
      if (bare(Id) === bare(id)) await whileImagesChange(() => image.remove());
    } catch (error) {
      if (statusOf(error) !== ABSENT) throw error;
    }
  }
}

function bare(id: string): string {
  return id.replace(/^sha256:/, '');
}

/** An engine names what has no name so. */
function named(names: readonly string[] | null | undefined): readonly string[] {
  return (names ?? []).filter((name) => !name.startsWith(NONE));
}
