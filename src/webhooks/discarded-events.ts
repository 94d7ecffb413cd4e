import type { Clock } from '../domain/clock.ts';
import type { Log } from '../domain/log.ts';
import type { Webhook } from '../domain/webhook.ts';
import type { EventFeed } from '../pool/interfaces/event-feed.ts';
import type { WebhookStatuses } from '../pool/interfaces/webhook-statuses.ts';

export interface DiscardedEventsDeps {
  readonly webhook: Webhook;
  readonly feed: Pick<EventFeed, 'position' | 'keepLeads'>;
  readonly statuses: WebhookStatuses;
  readonly clock: Clock;
  readonly log: Log;
}

const KEPT_BECAUSE = 'kept apart, before the stream of events had to discard it for newer ones';

/**
 * What the stream of events discards before a webhook is handed it, because it is full or too old: counted, and told
 * once by a process. What visitors told of themselves is in nobody else's books, so it is kept as a dead event before.
 */
export class DiscardedEvents {
  readonly #deps: DiscardedEventsDeps;
  /** Everything up to here was handed out, or is counted. */
  #countedTo = 0;
  #leadsKeptTo = 0;
  /** Positions that were handed out one after the other, and are none. */
  #gaps: { readonly after: number; readonly before: number }[] = [];
  #told = false;
  #looking: Promise<void> = Promise.resolve();

  constructor(deps: DiscardedEventsDeps) {
    this.#deps = deps;
  }

  /** Before anything is handed out. Throws queue_unavailable, store_unavailable. */
  async begin(): Promise<void> {
    const { feed, statuses, webhook } = this.#deps;
    const [{ handedOut, newest }, { lostTo, leadsKeptTo }] = await Promise.all([
      feed.position(),
      statuses.read(webhook.name),
    ]);
    // A stream that was made again counts from 1 again.
    this.#countedTo = Math.max(handedOut, lostTo > newest ? 0 : lostTo);
    this.#leadsKeptTo = leadsKeptTo > newest ? 0 : leadsKeptTo;
  }

  /** False where something is missing before it: a look tells whether that was discarded. */
  handedOut(position: number): boolean {
    const after = this.#countedTo;
    this.#countedTo = Math.max(after, position);
    if (position <= after + 1) return true;
    this.#gaps.push({ after, before: position });
    return false;
  }

  /** One look after the other. Throws queue_unavailable, store_unavailable. */
  look(): Promise<void> {
    this.#looking = this.#looking.catch(() => undefined).then(() => this.#look());
    return this.#looking;
  }

  async #look(): Promise<void> {
    const { feed, statuses, webhook, clock } = this.#deps;
    const { oldest, newest, settled, atRisk } = await feed.position();
    if (settled < newest && webhook.events.includes('lead_given')) await this.#keepLeads(settled, atRisk);
    let count = 0;
    // What was taken out of the middle were leads that are delivered.
    for (const { after, before } of this.#gaps) count += Math.max(0, Math.min(oldest, before) - after - 1);
    this.#gaps = [];
    count += Math.max(0, oldest - this.#countedTo - 1);
    if (count === 0) return;
    this.#countedTo = Math.max(this.#countedTo, oldest - 1);
    await statuses.noteLost(webhook.name, count, this.#countedTo, clock.now());
    this.#tell(count);
  }

  async #keepLeads(settled: number, atRisk: number): Promise<void> {
    const { feed, statuses, webhook, log } = this.#deps;
    const kept = await feed.keepLeads(Math.max(settled, this.#leadsKeptTo) + 1, atRisk, KEPT_BECAUSE);
    if (kept === undefined) return;
    this.#leadsKeptTo = kept;
    await statuses.noteLeadsKept(webhook.name, kept);
    log.warn(
      { webhook: webhook.name },
      'What visitors told is kept among the dead events: the stream of events is about to discard it',
    );
  }

  #tell(lost: number): void {
    if (this.#told) return;
    this.#told = true;
    const { log, webhook } = this.#deps;
    log.error(
      { webhook: webhook.name, lost },
      'Events were discarded before a webhook had them: the stream is full, or they were too old. It never hears of ' +
        'them. This is told once; `try-it-now webhooks list` counts',
    );
  }
}
