import type { ContainerCreateOptions, HostConfig } from 'dockerode';
import { TryItNowError, describeError } from '../../domain/errors.ts';
import { fillPlaceholders } from '../../domain/placeholders.ts';
import type { InjectedFile, ProcessSettings } from '../../domain/process-settings.ts';
import type { Template } from '../../domain/template.ts';
import type { ContainerSpec } from '../../pool/interfaces/container-runtime.ts';
import { thinArchive } from '../thin-archive.ts';

/** Anyone who stops it, be it the engine's own shutdown: a throw-away container gets no grace that nobody asked for. */
const STOP_AT_ONCE = { StopSignal: 'SIGKILL', StopTimeout: 0 };
const STOP_GRACE_S = 5;
const TMP_SHARE = 0.5;

/** What the image starts by itself. */
export interface ImageProcess {
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
}

/** True when it depends on what the image starts, which then has to be looked up. */
export function needsImageProcess(process: ProcessSettings): boolean {
  return extendsImageCommand(process) || runsEntrypointAlone(process);
}

function extendsImageCommand({ entrypoint, command, args }: ProcessSettings): boolean {
  return args.length > 0 && entrypoint === undefined && command === undefined;
}

/** The image's ENTRYPOINT without its CMD: both engines put the CMD back where no other ENTRYPOINT is named. */
function runsEntrypointAlone({ entrypoint, command, args }: ProcessSettings): boolean {
  return entrypoint === undefined && command?.length === 0 && args.length === 0;
}

/**
 * How its first process is started. `image`: where `needsImageProcess` asks for it; undefined where there is no such
 * image any more. Throws container_failed where nothing would be started.
 */
export function processOptions(
  { template, env, values }: ContainerSpec,
  image: ImageProcess | undefined,
): ContainerCreateOptions {
  const { command, args, user, workdir, stopSignal } = template.process;
  const fill = (text: string): string => filled(template, text, values);
  const entrypoint = runsEntrypointAlone(template.process)
    ? image && entrypointOf(template, image)
    : template.process.entrypoint?.map(fill);
  const base = extendsImageCommand(template.process) ? image?.command : command;
  const words = base === undefined && args.length === 0 ? undefined : [...(base ?? []), ...args].map(fill);
  const variables = Object.entries(template.env).map(([key, value]) => [key, fill(value)] as const);
  return {
    Env: Object.entries({ ...Object.fromEntries(variables), ...env }).map(([key, value]) => `${key}=${value}`),
    ...(entrypoint === undefined ? {} : { Entrypoint: [...entrypoint] }),
    ...(words === undefined ? {} : { Cmd: words }),
    ...(user === undefined ? {} : { User: user }),
    ...(workdir === undefined ? {} : { WorkingDir: workdir }),
    ...(stopSignal === undefined ? STOP_AT_ONCE : { StopSignal: stopSignal, StopTimeout: STOP_GRACE_S }),
  };
}

function entrypointOf({ name, image }: Template, { entrypoint }: ImageProcess): readonly string[] {
  if (entrypoint.length > 0) return entrypoint;
  throw new TryItNowError(
    'container_failed',
    `The template ${name} has command: [], and its image ${image} has no ENTRYPOINT that could run without one; name ` +
      'a command, or leave it out',
  );
}

/** What its first process finds. `tmpfsOptions`: what the engine has to be told so that each folder begins empty. */
export function filesystemOptions({ process, limits }: Template, tmpfsOptions: string): HostConfig {
  const bytes = Math.floor(limits.memoryBytes * TMP_SHARE);
  const folders = {
    '/tmp': bytes,
    // Podman has these by itself where nothing else can be written, and without a bound.
    ...(process.readOnly ? { '/run': bytes, '/var/tmp': bytes } : {}),
    ...process.tmpfs,
  };
  return {
    // Docker alone would not let anything in them be executed.
    Tmpfs: Object.fromEntries(
      Object.entries(folders).map(([path, size]) => [
        path,
        `rw,nosuid,nodev,exec,mode=1777,size=${size}${tmpfsOptions}`,
      ]),
    ),
    ShmSize: process.shmBytes,
    ReadonlyRootfs: process.readOnly,
  };
}

/** A tar of the template's files as they are in this container; undefined where there are none. */
export function filesArchive({ template, values }: ContainerSpec): Buffer | undefined {
  const { files, user } = template.process;
  if (files.length === 0) return undefined;
  const content = (file: InjectedFile): Buffer =>
    file.encoding === 'utf8'
      ? Buffer.from(filled(template, file.content, values))
      : Buffer.from(file.content, file.encoding);
  const owner = numericOwner(user);
  return thinArchive(
    files.map((file) => ({ path: file.path.slice(1), content: content(file), mode: file.mode, ...owner })),
  );
}

/** A user's number by its name is the image's secret; root can hand a file to anybody by its mode. */
function numericOwner(user: string | undefined): { readonly uid: number; readonly gid: number } {
  const [, uid = '0', gid = uid] = /^(\d+)(?::(\d+))?$/.exec(user ?? '') ?? [];
  return { uid: Number(uid), gid: Number(gid) };
}

function filled(template: Template, text: string, values: ContainerSpec['values'] = {}): string {
  try {
    return fillPlaceholders(text, values);
  } catch (error) {
    throw new TryItNowError(
      'container_failed',
      `A container of template ${template.name} cannot be started yet: ${describeError(error)}`,
      { cause: error },
    );
  }
}
