import { createHash } from 'node:crypto';
import { machine } from 'node:os';
import type Dockerode from 'dockerode';
import { TryItNowError, describeError } from '../../domain/errors.ts';
import { registryOf } from '../../domain/image-name.ts';
import { byDigest, type ImagePin } from '../../domain/image-pin.ts';
import type { Log } from '../../domain/log.ts';
import type { Template } from '../../domain/template.ts';
import { eitherOf } from '../../lifecycle/either-of.ts';
import { untilAborted } from '../../lifecycle/until-aborted.ts';
import type { ContainerEngine } from '../engine.ts';
import { imageRemedy } from '../image-remedy.ts';
import type { EngineOptions } from './engine-options.ts';
import { presentImages, pullImage, registryLogin, type RegistryLogin } from './image-pull.ts';

export interface ImagesOptions {
  readonly engine: Pick<ContainerEngine, 'title' | 'imageTool'>;
  /** Undefined where the engine does not have it. */
  readonly inspect: (image: string) => Promise<Dockerode.ImageInspectInfo | undefined>;
  /** As images name it, such as `amd64`. */
  readonly architecture: () => Promise<string>;
  /** Without a limit of its own for a request: a pull takes as long as its registry says something. */
  readonly docker: Dockerode;
  /** As `podman login` and `docker login` write it. */
  readonly credentialsFile: string | undefined;
  /** What names stand for on all nodes; others stand for what they do here. */
  readonly pinned: ReadonlyMap<string, ImagePin>;
  /** This one. */
  readonly node: string;
  /** A name with `pull: always` is fetched anew although it is known what it stands for. */
  readonly decides: boolean;
  readonly pulls: EngineOptions['pulls'];
  /** None begins, and none goes on, while the disk has no room. */
  readonly hasRoom: () => boolean;
  /** Told how each fetch ends. */
  readonly onFetched: ((status: 'success' | 'failure') => void) | undefined;
  /** Told when one that is needed now is not here, and cannot be had. */
  readonly onMissing: EngineOptions['onImageMissing'];
  readonly log: Log;
}

/** What whoever asks for a fetch wants of it. */
interface Asked {
  readonly onProgress: (soFar: string) => void;
  readonly signal: AbortSignal | undefined;
}

/** Of the host's kernel, as images name it; of a rarer one the engine knows the name. */
const HOST_ARCHITECTURE = { x86_64: 'amd64', aarch64: 'arm64' }[machine()];
const PULLED_AGAIN_MS = 60_000;
const NO_ROOM = 'the disk that images lie on has less room than DISK_RESERVE keeps free';

/**
 * The images of the templates: looked up, fetched from their registries, and held to what they were when they were
 * looked up last, so that a tag that is made again does not lead to old and new side by side.
 */
export class EngineImages {
  readonly #options: ImagesOptions;
  readonly #ids = new Map<string, string>();
  readonly #pulls = new Map<string, { readonly reference: string; readonly done: Promise<void> }>();
  readonly #progress = new Map<string, string>();
  /** By reference: a tag that cannot be fetched says nothing of what is pinned. Why it could not, and when that was. */
  readonly #failures = new Map<string, { readonly reason: string; readonly atMs: number }>();
  /** Of `pull: always`: once in the life of the process. */
  readonly #refreshed = new Set<string>();

  constructor(options: ImagesOptions) {
    this.#options = options;
  }

  /** Begins to fetch what may be fetched, and waits for nothing. Throws image_missing for others that are not here. */
  async look(templates: readonly Template[]): Promise<void> {
    const missing: Template[] = [];
    for (const template of templates) {
      const { image } = template;
      const id = await this.#find(template);
      if (this.#isToBeRefreshed(template)) {
        this.#refreshed.add(image);
        void this.#pull(image, image).catch(() => undefined);
      } else if (id === undefined && this.#mayPull(template)) void this.#pullMissing(image).catch(() => undefined);
      else if (id === undefined) missing.push(template);
    }
    if (missing.length > 0) throw this.#missing(missing);
  }

  /** The image to start this template from, by its id; waits until it is fetched. Throws image_missing. */
  async need(template: Template): Promise<string> {
    const { image } = template;
    // A new one under the name of what is pinned is nothing to wait for.
    if (!this.#options.pinned.has(image) || (await this.#known(template)) === undefined)
      await this.#pulls.get(image)?.done.catch(() => undefined);
    const known = await this.#known(template);
    if (known !== undefined) return known;
    if (this.#mayPull(template)) await this.#pullMissing(image).catch(() => undefined);
    const id = await this.#find(template);
    if (id !== undefined) return id;
    // Others may see to it at once: what its name stands for by now is looked up again.
    this.#options.onMissing?.();
    throw this.#missing([template]);
  }

  /** The engine does not have it under the id it had: the next look finds what its name stands for now. */
  forget(image: string): void {
    this.#ids.delete(image);
  }

  /** Of one image the first digits of its id, of several a digest of all; undefined until they are looked up. */
  commonVersion(images: readonly string[]): string | undefined {
    const ids = images.map((image) => this.#ids.get(image)?.replace(/^sha256:/, ''));
    if (ids.includes(undefined)) return undefined;
    const [only, ...others] = ids;
    const version = others.length === 0 ? only : createHash('sha256').update(ids.join(' ')).digest('hex');
    return version?.slice(0, 12);
  }

  /** What the name leads to in its registry now, whatever it stands for. Throws image_missing, the signal's reason. */
  async fetchAnew(image: string, onProgress: (soFar: string) => void, signal?: AbortSignal): Promise<void> {
    const { title } = this.#options.engine;
    if (registryOf(image) === undefined)
      throw new TryItNowError('image_missing', `${image} names no registry that ${title} could fetch it from`);
    try {
      await this.#pull(image, image, { onProgress, signal });
    } catch (error) {
      signal?.throwIfAborted();
      throw new TryItNowError('image_missing', `${title} could not fetch ${image}: ${describeError(error)}`, {
        cause: error,
      });
    }
  }

  /** How far one that is not here is on its way; undefined where it is not. */
  fetching(image: string): string | undefined {
    return this.#ids.has(image) ? undefined : this.#progress.get(image);
  }

  #isToBeRefreshed({ image, pull }: Template): boolean {
    const { pinned, decides } = this.#options;
    return (
      pull === 'always' &&
      registryOf(image) !== undefined &&
      !this.#refreshed.has(image) &&
      (decides || !pinned.has(image))
    );
  }

  #mayPull({ image, pull }: Template): boolean {
    const failed = this.#failures.get(this.#reference(image));
    const pin = this.#options.pinned.get(image);
    return (
      pull !== 'never' &&
      registryOf(image) !== undefined &&
      // Its tag may lead to anything.
      (pin === undefined || pin.digest !== undefined) &&
      (failed === undefined || performance.now() - failed.atMs > PULLED_AGAIN_MS)
    );
  }

  async #known(template: Template): Promise<string | undefined> {
    return this.#ids.get(template.image) ?? (await this.#find(template));
  }

  async #find({ name, image }: Template): Promise<string | undefined> {
    const { engine, inspect, architecture, pinned } = this.#options;
    const pin = pinned.get(image);
    const found = await (pin === undefined ? inspect(image) : this.#findPinned(image, pin));
    if (found === undefined) {
      this.#ids.delete(image);
      return undefined;
    }
    // The engine is asked before an image is refused only: Podman's answer has dpkg read all its lists several times.
    const fits = found.Architecture === '' || found.Architecture === HOST_ARCHITECTURE;
    const wanted = fits ? found.Architecture : await architecture();
    if (found.Architecture !== wanted)
      throw new TryItNowError(
        'image_missing',
        `${engine.title} has ${image} (template ${name}) for ${found.Architecture} only, and this host is ${wanted}. ` +
          `Fetch or build it for this host (${engine.imageTool.program} pull --platform linux/${wanted} ${image}).`,
        { details: { templates: [name], architecture: found.Architecture } },
      );
    this.#ids.set(image, found.Id);
    return found.Id;
  }

  async #findPinned(image: string, { id, digest }: ImagePin): Promise<Dockerode.ImageInspectInfo | undefined> {
    const { inspect } = this.#options;
    const named = await inspect(image);
    if (named?.Id === id || named?.RepoDigests.some((each) => each.endsWith(`@${digest ?? ''}`)) === true) return named;
    return (await inspect(id)) ?? (digest === undefined ? undefined : inspect(byDigest(image, digest)));
  }

  #missing(templates: readonly Template[]): TryItNowError {
    const list = templates.map(({ image, name }) => `${image} (template ${name})`).join(', ');
    const { title, imageTool } = this.#options.engine;
    const image = templates[0]?.image ?? 'IMAGE';
    const failed = this.#failures.get(this.#reference(image));
    const why = failed === undefined ? '' : ` It could not be fetched: ${failed.reason}.`;
    const pin = this.#options.pinned.get(image);
    if (pin !== undefined && pin.node !== this.#options.node)
      return new TryItNowError(
        'image_missing',
        `${title} does not have ${list} as it is on the other nodes, ${pin.id}, which the server of ${pin.node} ` +
          `decided on.${why} ${pinnedRemedy(imageTool.program, image, pin)}`,
        { details: { templates: [...new Set(templates.map(({ name }) => name))] } },
      );
    const gone = pin === undefined ? '' : ` ${pin.id}, from which instances were started, is not here any more.`;
    return new TryItNowError(
      'image_missing',
      `${title} does not have ${list}.${gone}${why} ${imageRemedy(this.#options.engine, image)}`,
      { details: { templates: [...new Set(templates.map(({ name }) => name))] } },
    );
  }

  #pullMissing(image: string): Promise<void> {
    return this.#pull(image, this.#reference(image));
  }

  /** What is fetched where it is missing. */
  #reference(image: string): string {
    const digest = this.#options.pinned.get(image)?.digest;
    return digest === undefined ? image : byDigest(image, digest);
  }

  /** One at a time for each image: a tag and what is pinned of it lead to different ones, so neither does for both. */
  async #pull(image: string, reference: string, asked?: Asked): Promise<void> {
    for (let running = this.#pulls.get(image); running !== undefined; running = this.#pulls.get(image)) {
      if (running.reference === reference) return untilAborted(running.done, asked?.signal);
      asked?.onProgress('another one of that name is fetched first');
      await untilAborted(
        running.done.catch(() => undefined),
        asked?.signal,
      );
    }
    const done = this.#fetch(image, reference, asked).finally(() => {
      this.#pulls.delete(image);
      this.#progress.delete(image);
    });
    this.#pulls.set(image, { reference, done });
    return done;
  }

  /** `asked`: whoever asks is told how it goes, and says what becomes of it. */
  async #fetch(image: string, reference: string, asked?: Asked): Promise<void> {
    const { log, docker, credentialsFile, inspect, pulls, hasRoom, onFetched } = this.#options;
    const full = new AbortController();
    const mindRoom = (): void => {
      if (!hasRoom()) full.abort(new Error(NO_ROOM));
    };
    const begun = performance.now();
    if (asked === undefined) log.info({ image: reference }, 'Fetching an image');
    this.#progress.set(image, 'just begun');
    let login: RegistryLogin | undefined;
    try {
      mindRoom();
      full.signal.throwIfAborted();
      // Said first: whatever dies, it is known afterwards what came by us.
      if (pulls !== undefined) {
        const present = await presentImages(docker);
        await pulls.begin({ reference, name: image, present });
      }
      login = await registryLogin(credentialsFile, image);
      if (login.kind === 'kept_elsewhere')
        log.warn({ image: reference, reason: login.why }, 'Fetching an image without a login');
      const onProgress = ({ layers, bytes }: { readonly layers: number; readonly bytes: number }): void => {
        const soFar = `${layers} layers, ${Math.round(bytes / 1e6)} MB so far`;
        this.#progress.set(image, soFar);
        asked?.onProgress(soFar);
        log.info({ image: reference, layers, bytes }, 'Still fetching an image');
        mindRoom();
      };
      const authconfig = login.kind === 'login' ? login.authconfig : undefined;
      using either = eitherOf(full.signal, asked?.signal);
      await pullImage(docker, reference, { authconfig, onProgress, signal: either.signal });
      const { Id: id, Size: bytes } = (await inspect(reference)) ?? {};
      if (id !== undefined) await pulls?.end(reference, id);
      this.#failures.delete(reference);
      if (asked === undefined)
        log.info({ image: reference, id, bytes, tookMs: Math.round(performance.now() - begun) }, 'Fetched an image');
      onFetched?.('success');
    } catch (error) {
      const without = login === undefined || login.kind === 'login' ? undefined : login.why;
      const reason = without === undefined ? describeError(error) : `${describeError(error)} (${without})`;
      this.#failures.set(reference, { reason, atMs: performance.now() });
      if (asked === undefined) log.warn({ image: reference, reason }, 'An image could not be fetched');
      onFetched?.('failure');
      throw new Error(reason, { cause: error });
    }
  }
}

function pinnedRemedy(program: string, image: string, { digest, node }: ImagePin): string {
  return digest === undefined
    ? `It was not fetched from a registry: bring it from there (${program} save -o FILE ${image} on ${node}, and ` +
        `${program} load -i FILE here).`
    : `Fetch it (${program} pull ${byDigest(image, digest)}).`;
}
