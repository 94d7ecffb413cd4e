/** What lies on a disk, or may. */
export interface DiskUse {
  readonly bytes: number;
  /** And folders, and whatever else takes an inode. */
  readonly files: number;
}

export interface DiskSeen extends DiskUse {
  /** There may be more: what was looked at was moved or removed meanwhile. */
  readonly partial: boolean;
  /** What of it the host itself cannot read, as on a failing disk, in the words of the program that looks. */
  readonly fault?: string;
}

/** The file system that an engine keeps its containers on. */
export interface StorageRoom {
  readonly path: string;
  readonly total: DiskUse;
  readonly free: DiskUse;
}

/**
 * What containers take of their host. Undefined: it cannot be seen, since the container does not run, or the engine is
 * on another host or under another user.
 */
export interface Consumption {
  /** Of the host, in bytes: what it has, and what more could be had without swapping. */
  memory(): Promise<{ readonly total: number; readonly available: number } | undefined>;
  storage(): Promise<StorageRoom | undefined>;
  /** Finds out where to look at it, which takes an engine long that is busy; the first look does it otherwise. */
  locate(container: string): Promise<void>;
  /**
   * For whoever takes over from a process that may have died at it: each container is found again at the next look, is
   * put back to running where it stands still for a look, and to no swap of its own.
   */
  forget(): void;
  /**
   * Ends all its processes at once, however many more they make meanwhile, without the engine; nothing happens where
   * none is seen. The container is still to be removed.
   */
  kill(container: string): Promise<void>;
  /** In bytes; what it has in common with others counts as its part of it (PSS). Without the kernel's own for it. */
  memoryOf(container: string): Promise<number | undefined>;
  /** Of the host, in bytes. */
  swap(): Promise<{ readonly total: number; readonly free: number } | undefined>;
  /**
   * Has what it holds in memory written to swap, as far as there is room; what is used comes back by itself. Takes some
   * tenths of a second. Throws where the kernel cannot be told; nothing happens where it has ended.
   */
  swapOut(container: string): Promise<void>;
  /** The processor time that its processes have used so far. */
  cpuMs(container: string): Promise<number | undefined>;
  /** And that whoever reads its output has used for it. */
  outputMs(container: string): Promise<number | undefined>;
  /** How many processors it may use at present. */
  cpuLimit(container: string): Promise<number | undefined>;
  /** From now on, for as long as it runs. Throws where that cannot be set; nothing happens where it has ended. */
  limitCpu(container: string, cpus: number): Promise<void>;
  /** Its part of the processors where more is wanted than there is, against 1, which each container begins with. */
  cpuShare(container: string): Promise<number | undefined>;
  /** From now on, as `limitCpu`: more than 0, at most 1. It may use what nobody else wants as before. */
  weighCpu(container: string, share: number): Promise<void>;
  /** How often it was refused a further process so far, since it had as many as it may. */
  refusedProcesses(container: string): Promise<number | undefined>;
  /** Whether somebody outside has a connection open to this port of it. */
  isConnected(container: string, port: number): Promise<boolean>;
  /**
   * What it has written and is still there: files of its own, of its anonymous volumes, and deleted ones that it holds
   * open. Looks no further once it is more than `most`. Stops the processes for the look, within 3 s, where two looks
   * were disturbed by what they move or remove; throws where they cannot be stopped, or that takes longer.
   */
  diskUse(container: string, most: DiskUse, signal: AbortSignal): Promise<DiskSeen | undefined>;
  /**
   * How many connections it has to the server whose UNIX socket has this name. The server itself cannot tell those
   * apart on which nobody has logged in.
   */
  connectionsTo(socketName: string, container: string): Promise<number | undefined>;
}
