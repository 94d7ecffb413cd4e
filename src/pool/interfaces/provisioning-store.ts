import type { Instance, ProvisionStep } from '../../domain/instance.ts';
import type { Template } from '../../domain/template.ts';

/** The way in. A ticket reserves room for one instance until its deadline; it carries the instance's future id. */
export interface ProvisioningStore {
  /**
   * Reserves as many tickets as target, capacity and threshold allow, atomically. Returns their ids. `going`: ready
   * ones that are about to go; for those that still are ready another one comes before. `stranded`: so many that leave
   * take no room.
   */
  reserveTickets(
    template: Template,
    options?: { readonly most?: number; readonly going?: readonly string[]; readonly stranded?: number },
  ): Promise<string[]>;
  /** Gives the room back, in the pool and at the nodes they were placed on. No record is touched. */
  cancelTickets(template: string, ids: readonly string[]): Promise<void>;
  /** Pushes the ticket's deadline out; false when there is no such ticket any more. */
  renewTicket(template: string, id: string): Promise<boolean>;
  /** For tickets whose tasks still wait in the queue: they get as much time again as they had at first. */
  renewQueuedTickets(tickets: readonly TicketRef[]): Promise<void>;
  /** Makes the warming record, under the ticket's id and for this attempt alone. */
  beginAttempt(template: Template, draft: AttemptDraft): Promise<BeginOutcome>;
  /** The attempt is alive: renews its lease and its ticket. False when it was superseded or taken away. */
  renewLease(instance: Instance): Promise<boolean>;
  /** Gives the lease up, so that the next delivery of the task may begin at once. */
  releaseLease(instance: Instance): Promise<void>;
  /**
   * Notes a step as done, and renews as `keepAlive` does. Throws conflicting_change when the attempt
   * was superseded or taken away. `landing`: what its activation gave for its visitor's first step, a secret.
   */
  recordStep(instance: Instance, step: ProvisionStep, landing?: string): Promise<void>;
  /** Takes a port out of the available ones, once per attempt. Throws no_free_port, conflicting_change. */
  allocatePort(instance: Instance): Promise<Instance>;
  /**
   * From here on the host name resolves to the instance's node and port. Throws conflicting_change, also when it is not
   * known to be activated: what was noted last may be lost with a primary.
   */
  publishHostname(instance: Instance): Promise<void>;
  /**
   * warming → ready, the ticket is spent, and the template's failures are forgiven. `bare`: why its visitor gets it
   * without a frame. Throws conflicting_change when any of it was taken away, or its name is not published.
   */
  markReady(instance: Instance, template: Template, bare?: Instance['bare']): Promise<{ readonly recovered: boolean }>;
  /**
   * Counts an attempt that failed. From the third in a row on, the breaker is open: the template is refilled no more
   * until the pause, doubled each time up to `maxPauseMs` (5 min), is over, and then by one instance at a time until
   * one comes up.
   */
  recordFailure(template: string, version: string, maxPauseMs?: number): Promise<BreakerState>;
  /** Counts a ready instance that kept failing its health check, as `recordFailure` does an attempt. */
  recordUnhealthy(template: string, version: string): Promise<BreakerState>;
  /** One has stayed healthy: those that did not are forgiven. `recovered`: that closed the breaker. */
  recordHealthy(template: string): Promise<{ readonly recovered: boolean }>;
  /** The template is offered in this version: failures of another one say nothing about it. */
  announceVersion(template: string, version: string): Promise<void>;
}

export interface AttemptDraft {
  readonly id: string;
  /** Newly drawn for each attempt: whatever it makes has a name of its own, so that a superseded one can do no harm. */
  readonly attempt: string;
  /** What it will be an idle instance of. */
  readonly version: string;
  readonly database: string | undefined;
}

export type BeginOutcome =
  | { readonly kind: 'begun'; readonly instance: Instance }
  /** No ticket: nobody wants it any more. */
  | { readonly kind: 'unwanted' }
  /** The template's breaker is open; the ticket was given back. */
  | { readonly kind: 'paused' }
  /** Another worker is alive and at it: this is a second delivery of its task. */
  | { readonly kind: 'underway' }
  /** An earlier attempt died; what it left is releasing now and has to be taken down first. */
  | { readonly kind: 'left_over'; readonly instance: Instance };

export interface BreakerState {
  /** True for the one failure that opened it. */
  readonly opened: boolean;
  /** What is left of the pause, 0 while it is closed. */
  readonly pauseMs: number;
  readonly failures: number;
}

export interface TicketRef {
  readonly template: string;
  readonly id: string;
}
