import { readFile } from 'node:fs/promises';
import type Dockerode from 'dockerode';
import Type from 'typebox';
import Value from 'typebox/value';
import { registryOf } from '../../domain/image-name.ts';

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

/** Until the image is there; `onProgress` now and then. Throws what the engine says of a failure. */
export async function followPull(
  docker: Dockerode,
  stream: NodeJS.ReadableStream,
  onProgress: (soFar: { readonly layers: number; readonly bytes: number }) => void,
): Promise<void> {
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
          onProgress({ layers: received.size, bytes });
        },
      );
    });
  } finally {
    clearTimeout(silent);
  }
}

/** Of the registry, or the part of it, that the image's name begins with; undefined where there are none. */
export async function registryCredentials(
  file: string | undefined,
  image: string,
): Promise<Dockerode.AuthConfigObject | undefined> {
  if (file === undefined) return undefined;
  const parsed: unknown = JSON.parse(await readFile(file, 'utf8'));
  if (!Value.Check(Credentials, parsed)) throw new Error(`${file} is not a file of credentials`);
  const [name] = Object.keys(parsed.auths)
    .filter((each) => image === each || image.startsWith(`${each.replace(/^https?:\/\/|\/v\d\/?$|\/$/g, '')}/`))
    .sort((a, b) => b.length - a.length);
  const auth = name === undefined ? undefined : parsed.auths[name]?.auth;
  if (name === undefined || auth === undefined) return undefined;
  const [username = '', ...password] = Buffer.from(auth, 'base64').toString('utf8').split(':');
  return { username, password: password.join(':'), serveraddress: registryOf(image) ?? name };
}
