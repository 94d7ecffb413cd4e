/** A file that is put into the container before its first process starts. */
export interface InjectedFile {
  /** Absolute, as the container sees it. */
  readonly path: string;
  /** Text, in which placeholders are filled in; or what no text can hold. */
  readonly encoding: 'utf8' | 'base64';
  readonly content: string;
  /** Permission bits. */
  readonly mode: number;
}

/** How a container's first process is started, and what it finds. Undefined and empty: as the image has it. */
export interface ProcessSettings {
  /** Takes the place of the image's ENTRYPOINT, and of its CMD too. */
  readonly entrypoint: readonly string[] | undefined;
  /** Takes the place of the image's CMD. */
  readonly command: readonly string[] | undefined;
  /** Appended to the command, be it the template's or the image's own. */
  readonly args: readonly string[];
  /** A name of the image or a number, with a group if need be: `app`, `1000:1000`. */
  readonly user: string | undefined;
  readonly workdir: string | undefined;
  readonly files: readonly InjectedFile[];
  /** Folders in memory, by their path, with their size in bytes. */
  readonly tmpfs: Readonly<Record<string, number>>;
  /** The size of /dev/shm. */
  readonly shmBytes: number;
  /** Nothing can be written but to folders in memory: /tmp, /run, /var/tmp, /dev/shm and those of `tmpfs`. */
  readonly readOnly: boolean;
  /** A small first process reaps what the app leaves behind. */
  readonly init: boolean;
  /** What the engine ends it with; undefined for SIGKILL. */
  readonly stopSignal: string | undefined;
  readonly sysctls: Readonly<Record<string, string>>;
}

/** As the image has it, and with an init. */
export const DEFAULT_PROCESS: ProcessSettings = {
  entrypoint: undefined,
  command: undefined,
  args: [],
  user: undefined,
  workdir: undefined,
  files: [],
  tmpfs: {},
  shmBytes: 64 * 2 ** 20,
  readOnly: false,
  init: true,
  stopSignal: undefined,
  sysctls: {},
};
