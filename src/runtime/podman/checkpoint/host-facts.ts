import { execFile } from 'node:child_process';
import { release } from 'node:os';
import { promisify } from 'node:util';
import Type, { type Static, type TSchema } from 'typebox';
import Value from 'typebox/value';
import type { CheckpointHost } from '../../../domain/checkpoint.ts';
import { TryItNowError } from '../../../domain/errors.ts';
import { byDigest, type ImagePin } from '../../../domain/image-pin.ts';
import type { Template } from '../../../domain/template.ts';
import { engineFailure, statusOf } from '../../docker/engine-errors.ts';
import type { EngineOptions } from '../../docker/engine-options.ts';
import type { EnginePatience } from '../../engine-patience.ts';
import { imageRemedy } from '../../image-remedy.ts';
import { PODMAN } from '../descriptor.ts';
import { libpod } from '../libpod-api.ts';

const Version = Type.Object({
  version: Type.Object({ Version: Type.String() }),
  host: Type.Object({ arch: Type.String() }),
});
const Image = Type.Object({ Id: Type.String() });
const CRIU_ANSWERS_WITHIN_MS = 5_000;
/** The PATH first; a user's own often leaves the others out. */
const CRIU_PLACES = ['criu', '/usr/local/sbin/criu', '/usr/sbin/criu', '/sbin/criu'];

/** What checkpoints depend on, on this host. Everything but the image is asked once. */
export class HostFacts {
  readonly #socketPath: string;
  readonly #patience: EnginePatience | undefined;
  readonly #pinned: ReadonlyMap<string, ImagePin>;
  #common: Promise<Omit<CheckpointHost, 'imageId'>> | undefined;

  constructor({ socketPath, patience, pinnedImages = new Map() }: EngineOptions) {
    this.#pinned = pinnedImages;
    this.#socketPath = socketPath;
    this.#patience = patience;
  }

  /** Throws image_missing, engine_unavailable. */
  async of(template: Template): Promise<CheckpointHost> {
    const [imageId, common] = await Promise.all([this.#imageId(template), this.#commonFacts()]);
    return { imageId, ...common };
  }

  async #imageId({ name, image }: Template): Promise<string> {
    const pin = this.#pinned.get(image);
    // What other nodes start, whatever the name leads to here.
    const { id = image, digest } = pin ?? {};
    const references = [id, ...(digest === undefined ? [] : [byDigest(image, digest)])];
    try {
      return await this.#firstId(references);
    } catch (error) {
      if (statusOf(error) === 404)
        throw new TryItNowError(
          'image_missing',
          `Podman does not have ${image} (template ${name}). ${imageRemedy(PODMAN, image)}`,
        );
      throw engineFailure(error, { title: 'Podman', socketPath: this.#socketPath }, `look for the image ${image}`);
    }
  }

  /** Throws the engine's answer for the last one. */
  async #firstId([reference = '', ...others]: readonly string[]): Promise<string> {
    try {
      return (await this.#ask(Image, `/images/${encodeURIComponent(reference)}/json`)).Id;
    } catch (error) {
      if (statusOf(error) !== 404 || others.length === 0) throw error;
      return this.#firstId(others);
    }
  }

  async #commonFacts(): Promise<Omit<CheckpointHost, 'imageId'>> {
    this.#common ??= this.#askCommon();
    try {
      return await this.#common;
    } catch (error) {
      this.#common = undefined;
      throw engineFailure(error, { title: 'Podman', socketPath: this.#socketPath }, 'describe itself');
    }
  }

  async #askCommon(): Promise<Omit<CheckpointHost, 'imageId'>> {
    const [{ version, host }, criu] = await Promise.all([this.#ask(Version, '/info'), criuVersion()]);
    return { kernel: release(), arch: host.arch, engine: PODMAN.name, engineVersion: version.Version, criu };
  }

  async #ask<T extends TSchema>(schema: T, path: string): Promise<Static<T>> {
    const answer = await libpod(this.#socketPath, 'GET', path, undefined, this.#patience);
    if (!Value.Check(schema, answer)) throw new Error(`Podman's answer to ${path} is not as it is known to be`);
    return answer;
  }
}

/** As this process finds it: Podman's service may find another, which the trial shows and this only names. */
async function criuVersion(): Promise<string> {
  for (const program of CRIU_PLACES) {
    try {
      const { stdout } = await promisify(execFile)(program, ['--version'], { timeout: CRIU_ANSWERS_WITHIN_MS });
      return /^Version:\s*(\S+)/m.exec(stdout)?.[1] ?? 'unknown';
    } catch {
      // Not there, or not able to run here: then the next place.
    }
  }
  return 'unknown';
}
