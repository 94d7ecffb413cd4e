import type { VisitStep } from '../../domain/visit-event.ts';

/** What somebody has done with visitors' instances, and when. */
export interface UsageQuestion {
  readonly template: string;
  /** Which were not used for this long (ms); undefined: not asked. */
  readonly unusedForMs: number | undefined;
  /** Which last longer: those whose deadline is earlier than this (ms) after their last use. */
  readonly lastsMs: number | undefined;
  /** Of these alone; undefined: of all visits, which costs by how many there are. */
  readonly ids?: readonly string[];
}

export interface Used {
  readonly id: string;
  readonly lastUsedMs: number;
}

interface Unused {
  readonly id: string;
  /** Since when it is known that nobody has used it. */
  readonly sinceMs: number;
}

export interface UsageAnswer {
  /** False: somebody who watches for use has not reported of late, so nobody knows who is unused. */
  readonly complete: boolean;
  /** All requests are known of; who is connected through a proxy only where `complete`. */
  readonly requestsKnown: boolean;
  readonly unused: readonly Unused[];
  readonly toRenew: readonly Used[];
}

/** A step that a visit takes once, and was not known to have taken. */
export interface VisitStepSeen {
  readonly template: string;
  readonly site: string;
  readonly step: VisitStep;
}

export interface UsageStore {
  /** The visitors of the instances with these labels do something with them right now. Tells what that shows. */
  recordUse(labels: readonly string[]): Promise<readonly VisitStepSeen[]>;
  /**
   * To be said every few seconds by whoever watches the proxy `watcher`: visitors are connected to the instances at
   * these places (`<node>:<port>`) through it, which shows no step of a visit. While one that has said so is silent,
   * nobody knows who is unused. Answers the ids of those instances.
   */
  recordConnected(watcher: string, places: ReadonlySet<string>): Promise<ReadonlySet<string>>;
  /**
   * The last word of who watched the proxy `watcher`: with nobody connected it is not waited for, otherwise as long as
   * a restart takes.
   */
  leaveProxy(watcher: string, places: ReadonlySet<string>): Promise<void>;
  ask(question: UsageQuestion): Promise<UsageAnswer>;
}
