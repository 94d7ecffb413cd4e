import { readFile } from 'node:fs/promises';
import { Readable, addAbortSignal } from 'node:stream';
import type Dockerode from 'dockerode';
import Type from 'typebox';
import Value from 'typebox/value';
import { registryOf } from '../../domain/image-name.ts';
import { eitherOf } from '../../lifecycle/either-of.ts';
import { whileImagesChange } from './while-images-change.ts';

/**
 * What is read of a file of credentials: by registry, or by a part of it, `user:password` in Base64. A program that
 * keeps them elsewhere leaves an empty entry, or none.
 */
const Credentials = Type.Object({
  auths: Type.Optional(Type.Record(Type.String(), Type.Object({ auth: Type.Optional(Type.String()) }))),
  credsStore: Type.Optional(Type.String()),
  credHelpers: Type.Optional(Type.Record(Type.String(), Type.String())),
});
/** What is read of a line that tells how a pull goes. */
const Progress = Type.Object({
  id: Type.Optional(Type.String()),
  error: Type.Optional(Type.String()),
  progressDetail: Type.Optional(Type.Object({ current: Type.Optional(Type.Number()) })),
});

const TELL_EVERY_MS = 5_000;
/** A registry, or an engine, that says nothing for this long has hung. */
const SILENCE_MS = 5 * 60_000;

/** Of all images that the engine has. Throws for an engine that hangs. */
export async function presentImages(docker: Dockerode, silenceMs = SILENCE_MS): Promise<readonly string[]> {
  const images = await unlessSilent('the engine', silenceMs, (signal) =>
    whileImagesChange(() => docker.listImages({ all: true, abortSignal: signal })),
  );
  return images.map(({ Id }) => Id);
}

/**
 * Until the image is there; `onProgress` now and then.
 * Throws what the engine says of a failure, or the signal's reason.
 */
export async function pullImage(
  docker: Dockerode,
  reference: string,
  {
    authconfig,
    onProgress,
    silenceMs = SILENCE_MS,
    signal: given,
  }: {
    readonly authconfig: Dockerode.AuthConfigObject | undefined;
    readonly onProgress: (soFar: { readonly layers: number; readonly bytes: number }) => void;
    readonly silenceMs?: number;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<void> {
  await unlessSilent('the registry', silenceMs, async (silent, heard) => {
    using either = eitherOf(silent, given);
    const { signal } = either;
    signal.throwIfAborted();
    const login = authconfig === undefined ? {} : { authconfig };
    const stream = await docker.pull(reference, { ...login, abortSignal: signal });
    // Once there is an answer, the client leaves it open.
    if (stream instanceof Readable) addAbortSignal(signal, stream);
    await followPull(docker, stream, heard, onProgress);
  });
}

/** Ends the request that `work` makes once nothing was heard of it for so long. */
async function unlessSilent<T>(
  who: string,
  silenceMs: number,
  work: (signal: AbortSignal, heard: () => void) => Promise<T>,
): Promise<T> {
  const hung = new AbortController();
  const minutes = Math.max(1, Math.round(silenceMs / 60_000));
  const watch = setTimeout(() => {
    hung.abort(new Error(`${who} said nothing for ${minutes} minute${minutes === 1 ? '' : 's'}`));
  }, silenceMs);
  try {
    return await work(hung.signal, () => void watch.refresh());
  } catch (error) {
    // The client has an error of its own for a request that was ended.
    hung.signal.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(watch);
  }
}

function followPull(
  docker: Dockerode,
  stream: NodeJS.ReadableStream,
  heard: () => void,
  onProgress: (soFar: { readonly layers: number; readonly bytes: number }) => void,
): Promise<void> {
  const received = new Map<string, number>();
  let told = performance.now();
  heard();
  return new Promise<void>((resolve, reject) => {
    docker.modem.followProgress(
      stream,
      (error: Error | null) => (error === null ? resolve() : reject(error)),
      (event: unknown) => {
        heard();
        if (!Value.Check(Progress, event)) return;
        if (event.error !== undefined) reject(new Error(event.error));
        if (event.id !== undefined) received.set(event.id, event.progressDetail?.current ?? 0);
        if (performance.now() - told < TELL_EVERY_MS) return;
        told = performance.now();
        const bytes = [...received.values()].reduce((sum, each) => sum + each, 0);
        onProgress({ layers: received.size, bytes });
      },
    );
  });
}

/** With what an image is fetched; `why` there is no login for it although a file with some is named. */
export type RegistryLogin =
  | { readonly kind: 'login'; readonly authconfig: Dockerode.AuthConfigObject }
  | { readonly kind: 'none'; readonly why: string | undefined }
  | { readonly kind: 'kept_elsewhere'; readonly why: string };

/** `docker login` calls Docker Hub by the first, and Docker pulls from the second; images name neither. */
const DOCKER_HUB = /^(?:index|registry-1)\.docker\.io(?=\/|$)/;

/** That of the registry, or of the part of it, that the image's name begins with. Throws what is wrong in the file. */
export async function registryLogin(file: string | undefined, image: string): Promise<RegistryLogin> {
  if (file === undefined) return { kind: 'none', why: undefined };
  const parsed: unknown = JSON.parse(await readFile(file, 'utf8'));
  if (!Value.Check(Credentials, parsed) || !Object.keys(Credentials.properties).some((key) => key in parsed))
    throw new Error(`${file} is not a file of credentials`);
  const repository = place(image.replace(/@.*$/, '').replace(/:[^/:]*$/, ''));
  const registry = registryOf(repository) ?? repository;
  const [entry] = Object.entries(parsed.auths ?? {})
    .map(([key, { auth }]) => ({ at: place(key), auth }))
    .filter(({ at }) => repository === at || repository.startsWith(`${at}/`))
    .sort((a, b) => b.at.length - a.at.length);
  if (entry?.auth !== undefined && entry.auth !== '') {
    const [username = '', ...password] = Buffer.from(entry.auth, 'base64').toString('utf8').split(':');
    const authconfig = { username, password: password.join(':'), serveraddress: registry };
    return { kind: 'login', authconfig };
  }
  const helpers = Object.entries(parsed.credHelpers ?? {});
  const helper =
    helpers.find(([key]) => place(key) === registry)?.[1] ?? (entry === undefined ? undefined : parsed.credsStore);
  if (entry === undefined && helper === undefined)
    return { kind: 'none', why: `REGISTRY_AUTH_FILE has no login for ${registry}` };
  const keeper = helper === undefined ? 'elsewhere' : `with the credential helper ${helper}, which is not asked`;
  return {
    kind: 'kept_elsewhere',
    why:
      `REGISTRY_AUTH_FILE has the login for ${registry} ${keeper}; ` +
      `\`podman login --authfile ${file} ${registry}\` writes it there`,
  };
}

/** As images name it: without scheme, version of the API and slash at the end, Docker Hub as docker.io. */
function place(name: string): string {
  return name.replace(/^https?:\/\/|\/v\d\/?$|\/$/g, '').replace(DOCKER_HUB, 'docker.io');
}
