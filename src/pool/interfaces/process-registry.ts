import type { RunningProcess } from '../../domain/running-process.ts';

/** Which servers and workers run. */
export interface ProcessRegistry {
  /**
   * To be said every few seconds; after 15 s of silence a process counts as gone. Returns how often all were asked so
   * far to read their templates again. Throws store_unavailable.
   */
  announce(self: RunningProcess): Promise<number>;
  /** Asks all to read their templates again; returns how often that was asked. Throws store_unavailable. */
  requestReload(): Promise<number>;
  /** This process ends. Throws store_unavailable. */
  leave(): Promise<void>;
  /** Without those that another version wrote. Throws store_unavailable. */
  running(): Promise<readonly RunningProcess[]>;
  /**
   * The same, for who ends what nobody else needs. Undefined for 15 s after an outage in which all fell silent: others
   * may run that have not said so again. Throws store_unavailable.
   */
  everyone(): Promise<readonly RunningProcess[] | undefined>;
}
