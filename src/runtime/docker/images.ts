import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { machine } from 'node:os';
import type Dockerode from 'dockerode';
import Type from 'typebox';
import Value from 'typebox/value';
import { TryItNowError, describeError } from '../../domain/errors.ts';
import { registryOf } from '../../domain/image-name.ts';
import type { Log } from '../../domain/log.ts';
import type { Template } from '../../domain/template.ts';
import type { ContainerEngine } from '../engine.ts';

export interface ImagesOptions {
  readonly engine: Pick<ContainerEngine, 'title' | 'imageTool'>;
  /** Undefined where the engine does not have it. */
  readonly inspect: (image: string) => Promise<Dockerode.ImageInspectInfo | undefined>;
  /** As images name it, such as `amd64`. */
  readonly architecture: () => Promise<string>;
  /** Without a limit of its own for a request: a pull takes as long as it takes. */
  readonly docker: Dockerode;
  /** As `podman login` and `docker login` write it. */
  readonly credentialsFile: string | undefined;
  readonly log: Log;
}

/** Of the host's kernel, as images name it; of a rarer one the engine knows the name. */
const HOST_ARCHITECTURE = { x86_64: 'amd64', aarch64: 'arm64' }[machine()];
/** What is read of a file of credentials: by registry, or by a part of it, `user:password` in Base64. */
const Credentials = Type.Object({
  auths: Type.Record(Type.String(), Type.Object({ auth: Type.Optional(Type.String()) })),
});
/** What is read of a line that tells how a pull goes. */
const Progress = Type.Object({
  id: Type.Optional(Type.String()),
  error: Type.Optional(Type.String()),
  progressDetail: Type.Optional(Type.Object({ current: Type.Optional(Type.Number()) })),
});

const TELL_EVERY_MS = 5_000;
/** A registry that says nothing for this long has hung. */
const SILENCE_MS = 5 * 60_000;
const PULLED_AGAIN_MS = 60_000;

/**
 * The images of the templates: looked up, fetched from their registries, and held to what they were when they were
 * looked up last, so that a tag that is made again does not lead to old and new side by side.
 */
export class EngineImages {
  readonly #options: ImagesOptions;
  readonly #ids = new Map<string, string>();
  readonly #pulls = new Map<string, Promise<void>>();
  /** Why an image could not be fetched, and when that was. */
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
      const { image, pull } = template;
      const id = await this.#find(template);
      const again = pull === 'always' && registryOf(image) !== undefined && !this.#refreshed.has(image);
      if (again) this.#refreshed.add(image);
      if (again || (id === undefined && this.#mayPull(template))) void this.#pull(image).catch(() => undefined);
      else if (id === undefined) missing.push(template);
    }
    if (missing.length > 0) throw this.#missing(missing);
  }

  /** The image to start this template from, by its id; waits until it is fetched. Throws image_missing. */
  async need(template: Template): Promise<string> {
    const { image } = template;
    await this.#pulls.get(image)?.catch(() => undefined);
    const known = this.#ids.get(image) ?? (await this.#find(template));
    if (known !== undefined) return known;
    if (!this.#mayPull(template)) throw this.#missing([template]);
    await this.#pull(image).catch(() => undefined);
    const id = await this.#find(template);
    if (id === undefined) throw this.#missing([template]);
    return id;
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

  #mayPull({ image, pull }: Template): boolean {
    const failed = this.#failures.get(image);
    return (
      pull !== 'never' &&
      registryOf(image) !== undefined &&
      (failed === undefined || performance.now() - failed.atMs > PULLED_AGAIN_MS)
    );
  }

  async #find({ name, image }: Template): Promise<string | undefined> {
    const { engine, inspect, architecture } = this.#options;
    const found = await inspect(image);
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
        { details: { templates: [name] } },
      );
    this.#ids.set(image, found.Id);
    return found.Id;
  }

  #missing(templates: readonly Template[]): TryItNowError {
    const list = templates.map(({ image, name }) => `${image} (template ${name})`).join(', ');
    const { title, imageTool } = this.#options.engine;
    const image = templates[0]?.image ?? 'IMAGE';
    const failed = this.#failures.get(image);
    const why = failed === undefined ? '' : ` It could not be fetched: ${failed.reason}.`;
    return new TryItNowError(
      'image_missing',
      `${title} does not have ${list}.${why} Build it here (${imageTool.program} build -t ${image} FOLDER) or fetch ` +
        `it (${imageTool.program} pull ${image}).`,
      { details: { templates: [...new Set(templates.map(({ name }) => name))] } },
    );
  }

  /** One at a time for each image. */
  #pull(image: string): Promise<void> {
    const running = this.#pulls.get(image);
    if (running !== undefined) return running;
    const pull = this.#fetch(image).finally(() => this.#pulls.delete(image));
    this.#pulls.set(image, pull);
    return pull;
  }

  async #fetch(image: string): Promise<void> {
    const { log, docker } = this.#options;
    const begun = performance.now();
    log.info({ image }, 'Fetching an image');
    try {
      const authconfig = await this.#credentials(image);
      await this.#follow(image, await docker.pull(image, authconfig === undefined ? {} : { authconfig }));
      this.#failures.delete(image);
      log.info({ image, tookMs: Math.round(performance.now() - begun) }, 'Fetched an image');
    } catch (error) {
      const reason = describeError(error);
      this.#failures.set(image, { reason, atMs: performance.now() });
      log.warn({ image, reason }, 'An image could not be fetched');
      throw error;
    }
  }

  async #follow(image: string, stream: NodeJS.ReadableStream): Promise<void> {
    const { log, docker } = this.#options;
    const received = new Map<string, number>();
    let told = performance.now();
    let silent: NodeJS.Timeout | undefined;
    const listen = (): void => {
      clearTimeout(silent);
      silent = setTimeout(() => {
        stream.emit('error', new Error(`the registry said nothing for ${SILENCE_MS / 60_000} minutes`));
      }, SILENCE_MS);
    };
    listen();
    try {
      await new Promise<void>((resolve, reject) => {
        docker.modem.followProgress(
          stream,
          (error: Error | null) => (error === null ? resolve() : reject(error)),
          (event: unknown) => {
            listen();
            if (!Value.Check(Progress, event)) return;
            if (event.error !== undefined) reject(new Error(event.error));
            if (event.id !== undefined) received.set(event.id, event.progressDetail?.current ?? 0);
            if (performance.now() - told < TELL_EVERY_MS) return;
            told = performance.now();
            const bytes = [...received.values()].reduce((sum, each) => sum + each, 0);
            log.info({ image, layers: received.size, bytes }, 'Still fetching an image');
          },
        );
      });
    } finally {
      clearTimeout(silent);
    }
  }

  async #credentials(image: string): Promise<Dockerode.AuthConfigObject | undefined> {
    const { credentialsFile } = this.#options;
    if (credentialsFile === undefined) return undefined;
    const parsed: unknown = JSON.parse(await readFile(credentialsFile, 'utf8'));
    if (!Value.Check(Credentials, parsed)) throw new Error(`${credentialsFile} is not a file of credentials`);
    const [name] = Object.keys(parsed.auths)
      .filter((each) => image === each || image.startsWith(`${each.replace(/^https?:\/\/|\/v\d\/?$|\/$/g, '')}/`))
      .sort((a, b) => b.length - a.length);
    const auth = name === undefined ? undefined : parsed.auths[name]?.auth;
    if (name === undefined || auth === undefined) return undefined;
    const [username = '', ...password] = Buffer.from(auth, 'base64').toString('utf8').split(':');
    return { username, password: password.join(':'), serveraddress: registryOf(image) ?? name };
  }
}
