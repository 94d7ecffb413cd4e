import type { Clock } from '../domain/clock.ts';
import { describeError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import type { StreamEvent } from '../domain/visit-event.ts';
import type { Webhook } from '../domain/webhook.ts';
import { backoffMs } from '../lifecycle/backoff.ts';
import { eitherOf } from '../lifecycle/either-of.ts';
import { sleep } from '../lifecycle/sleep.ts';
import type { EventFeed, HeldEvent } from '../pool/interfaces/event-feed.ts';
import type { Turn } from '../pool/interfaces/turn.ts';
import type { WebhookStatuses } from '../pool/interfaces/webhook-statuses.ts';
import { DiscardedEvents } from './discarded-events.ts';
import { messageOf } from './message.ts';
import type { WebhookPolicy } from './policy.ts';
import type { Post, PostOutcome } from './post.ts';
import { VisitQueues } from './visit-queues.ts';

export type DeliveryOutcome = 'delivered' | 'failed' | 'dead';

/** What is counted about deliveries. */
export interface WebhookObserver {
  webhookDelivery(webhook: string, outcome: DeliveryOutcome, durationMs: number): void;
}

export interface DeliverDeps {
  readonly webhook: Webhook;
  readonly feed: EventFeed;
  readonly turn: Turn;
  readonly post: Post;
  readonly statuses: WebhookStatuses;
  readonly observer: WebhookObserver;
  readonly policy: WebhookPolicy;
  readonly clock: Clock;
  readonly log: Log;
}

/** With so many failures in a row it is the receiver that is down, and not an event that it does not take. */
const FAILURES_TO_PAUSE = 3;
/** A process that took over waits no longer for what its predecessor had in hands. */
const TAKEOVER_ACK_WAITS = 3;
const DELIVERED_KEPT = 1_000;
const NOTHING_GONE = { oldest: 0 };
const LOOK_AGAIN_MS = 100;
/** Less than what is left of a turn that was kept, so that nobody else delivers meanwhile. */
const LAST_ANSWERS_MS = 3_000;

interface Item {
  readonly held: HeldEvent;
  readonly event: StreamEvent;
  readonly visit: string;
  readonly position: number;
  attempts: number;
}

/**
 * Delivers to one webhook, for as long as it is this process's turn: one at a time, because only who has all events of
 * a visit in hands can keep their order.
 */
export class WebhookDelivery {
  readonly #deps: DeliverDeps;
  /** Taken by the receiver, but NATS did not confirm that it need not come again. */
  readonly #unconfirmed = new Set<string>();
  readonly #discarded: DiscardedEvents;

  constructor(deps: DeliverDeps) {
    this.#deps = deps;
    this.#discarded = new DiscardedEvents(deps);
  }

  /** One round: ends with the turn, or the signal. Throws queue_unavailable, store_unavailable. */
  async round(signal: AbortSignal): Promise<void> {
    const { turn, policy, feed } = this.#deps;
    if (!(await turn.take(policy.turnMs))) return;
    try {
      await feed.open();
      await this.#discarded.begin();
      await new Session(this.#deps, this.#unconfirmed, this.#discarded, signal).run();
    } finally {
      // A store that does not answer lets the turn end by itself.
      await turn.end().catch(() => undefined);
    }
  }
}

/** What one process has in hands during its turn. */
class Session {
  readonly #deps: DeliverDeps;
  readonly #unconfirmed: Set<string>;
  readonly #discarded: DiscardedEvents;
  /** Nothing new is begun. */
  readonly #ending = new AbortController();
  /** What is under way is cut off. */
  readonly #ended = new AbortController();
  readonly #signal: AbortSignal;
  readonly #held = new Map<string, HeldEvent>();
  readonly #queues = new VisitQueues<Item>();
  readonly #underWay = new Set<Promise<void>>();
  /** Until everything that was handed out before is in these hands, nothing is delivered. */
  #caughtUp = false;
  #failuresInARow = 0;
  #pausedUntil = 0;
  /** Of a receiver that is down: since when, and why. */
  #down: { readonly since: number; reason: string } | undefined;
  #setsAside = 0;
  #deliveredAtMs: number | undefined;
  #failure: Error | undefined;

  constructor(deps: DeliverDeps, unconfirmed: Set<string>, discarded: DiscardedEvents, stopped: AbortSignal) {
    this.#deps = deps;
    this.#unconfirmed = unconfirmed;
    this.#discarded = discarded;
    // Left at the latest as `run` ends what is under way.
    this.#signal = eitherOf(stopped, this.#ending.signal, this.#ended.signal).signal;
  }

  async run(): Promise<void> {
    const keeper = this.#keepTurn();
    this.#track(this.#watchDiscarded());
    try {
      await this.#takeOver();
      await this.#pullAll();
    } catch (error) {
      this.#failure ??= asError(error);
    } finally {
      this.#ending.abort();
      await this.#lastAnswers();
      this.#ended.abort();
      await keeper;
      await Promise.allSettled(this.#underWay);
      await this.#handBack();
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** In their order, so that whoever is next gets them so. Those that the stream has discarded are nowhere else. */
  async #handBack(): Promise<void> {
    const { feed, turn } = this.#deps;
    const left = [...this.#held.values()].sort((a, b) => a.position - b.position);
    if (left.length === 0) return;
    // A queue that does not answer keeps what it has.
    const { oldest } = turn.held ? await feed.position().catch(() => NOTHING_GONE) : NOTHING_GONE;
    const gone = left.filter(({ position, isForUs }) => position < oldest && isForUs);
    const why = { reason: 'its receiver took nothing, and then its server stopped', attempts: 0 };
    await Promise.allSettled(
      gone.map(async (held) => {
        await feed.deadLetter(held, why);
        await held.settle();
      }),
    );
    for (const held of left) if (!gone.includes(held)) held.handBack();
  }

  /** A receiver that was asked may have the event: cut off, it would be given it twice. */
  async #lastAnswers(): Promise<void> {
    const answered = new AbortController();
    using either = eitherOf(answered.signal, this.#ended.signal);
    await Promise.race([
      Promise.allSettled(this.#underWay).then(() => answered.abort()),
      sleep(LAST_ANSWERS_MS, either.signal),
    ]);
  }

  /** Says that this process is alive: to the others, and to NATS about each event. */
  async #keepTurn(): Promise<void> {
    const { turn, policy, log, webhook } = this.#deps;
    let endsAt = performance.now() + policy.turnMs;
    for (;;) {
      await sleep(Math.min(policy.turnMs, policy.ackWaitMs) / 3, this.#signal);
      if (this.#signal.aborted) return;
      for (const held of this.#held.values()) held.keep();
      const askedAt = performance.now();
      try {
        if (await turn.keep(policy.turnMs)) {
          endsAt = askedAt + policy.turnMs;
          this.#deliverDue();
          continue;
        }
        log.warn(
          { webhook: webhook.name },
          'Another process delivers to this webhook now; this one was silent too long',
        );
        this.#ended.abort();
      } catch (error) {
        if (performance.now() < endsAt - policy.turnMs / 3) continue;
        this.#failure = asError(error);
        this.#ended.abort();
      }
    }
  }

  /**
   * A process that died had events in hands that are handed out again only after a while, and newer ones of the same
   * visits before them. So everything that was ever handed out is gathered before the first delivery.
   */
  async #takeOver(): Promise<void> {
    const { feed, policy, log, webhook } = this.#deps;
    const giveUpAt = performance.now() + TAKEOVER_ACK_WAITS * policy.ackWaitMs;
    while (!this.#signal.aborted) {
      const missing = (await feed.inHands()) - this.#held.size;
      if (missing <= 0) break;
      if (performance.now() > giveUpAt) {
        log.warn(
          { webhook: webhook.name },
          'Events that another process had in hands do not come; going on without them',
        );
        break;
      }
      await this.#pull(missing);
    }
    this.#caughtUp = true;
    this.#deliverDue();
  }

  async #watchDiscarded(): Promise<void> {
    while (!this.#signal.aborted) {
      await this.#discarded.look();
      await sleep(this.#deps.policy.lookMs, this.#signal);
    }
  }

  async #pullAll(): Promise<void> {
    const { window } = this.#deps.policy;
    while (!this.#signal.aborted) {
      const room = window - this.#held.size;
      if (room > 0) await this.#pull(room);
      else await sleep(LOOK_AGAIN_MS, this.#signal);
    }
  }

  async #pull(most: number): Promise<void> {
    for await (const held of this.#deps.feed.pull(most, this.#signal)) this.#take(held);
  }

  #take(held: HeldEvent): void {
    const { webhook } = this.#deps;
    const known = this.#held.has(held.key);
    // Handed out twice, after this process stood still: the newer one is what NATS listens to.
    this.#held.set(held.key, held);
    if (known) return;
    if (!this.#discarded.handedOut(held.position)) this.#track(this.#discarded.look());
    const { event, isForUs } = held;
    if (this.#unconfirmed.has(held.key) || !isForUs || (event !== undefined && !webhook.events.includes(event.type)))
      this.#track(this.#settle(held.key));
    else if (event === undefined) this.#track(this.#deadLetterUnreadable(held));
    else {
      this.#queues.add({
        held,
        event,
        visit: 'visit' in event ? event.visit : event.id,
        position: held.position,
        attempts: 0,
      });
      this.#deliverDue();
    }
  }

  /** As many as may be under way; to a receiver that is down one at a time, and with pauses. */
  #deliverDue(): void {
    const { policy } = this.#deps;
    if (!this.#caughtUp) return;
    // One that stood still for too long first asks whether it still has the turn.
    while (!this.#signal.aborted && this.#deps.turn.held) {
      const isDown = this.#failuresInARow >= FAILURES_TO_PAUSE;
      if (isDown) this.#setOldAside();
      if (this.#posts >= (isDown ? 1 : policy.concurrency)) return;
      const waitMs = isDown ? this.#pausedUntil - performance.now() : 0;
      if (waitMs > 0) {
        this.#wakeIn(waitMs);
        return;
      }
      const item = this.#queues.next();
      if (item === undefined) return;
      this.#posts += 1;
      this.#track(
        this.#attempt(item).finally(() => {
          this.#posts -= 1;
          this.#deliverDue();
        }),
      );
    }
  }

  /**
   * A receiver that is down is asked so rarely that events would be discarded before each has failed once more. Those
   * that are too old are set aside without.
   */
  #setOldAside(): void {
    const { policy } = this.#deps;
    while (this.#down !== undefined && !this.#signal.aborted && this.#setsAside < policy.concurrency) {
      if (performance.now() - this.#down.since < policy.giveUpAfterMs) return;
      const item = this.#queues.next((oldest) => this.#isTooOld(oldest));
      if (item === undefined) return;
      this.#setsAside += 1;
      this.#deps.observer.webhookDelivery(this.#deps.webhook.name, 'dead', 0);
      this.#track(
        this.#deadLetter(item, `its receiver takes nothing: ${this.#down.reason}`).finally(() => {
          this.#setsAside -= 1;
          this.#setOldAside();
        }),
      );
    }
  }

  /** What is delivered again is as old as the wish for that. */
  #isTooOld({ event, held }: Item): boolean {
    const { clock, webhook } = this.#deps;
    return clock.now() - (held.againAtMs ?? event.atMs) > webhook.retryForMs;
  }

  #posts = 0;
  #waking = false;

  #wakeIn(ms: number): void {
    if (this.#waking) return;
    this.#waking = true;
    void sleep(ms, this.#signal).then(() => {
      this.#waking = false;
      this.#deliverDue();
    });
  }

  async #attempt(item: Item): Promise<void> {
    const { webhook, post, observer } = this.#deps;
    const outcome = await post(webhook, messageOf(item.event), this.#ended.signal);
    if (outcome.kind === 'stopped') return;
    item.attempts += 1;
    if (outcome.kind === 'failed') return this.#afterFailure(item, outcome);
    observer.webhookDelivery(webhook.name, 'delivered', outcome.tookMs);
    this.#answered();
    this.#unconfirmed.add(item.held.key);
    // What NATS does not confirm is not delivered again by this process; the visit goes on.
    this.#queues.done(item);
    // Under way until then, so that a process which is killed leaves no more to be delivered twice than it may ask.
    await this.#settle(item.held.key);
  }

  #answered(): void {
    const { log, webhook, clock } = this.#deps;
    if (this.#failuresInARow >= FAILURES_TO_PAUSE)
      log.info({ webhook: webhook.name }, 'The receiver of a webhook takes events again');
    this.#failuresInARow = 0;
    this.#down = undefined;
    this.#deliveredAtMs = clock.now();
    this.#report(undefined);
  }

  async #afterFailure(item: Item, { reason, tookMs }: Extract<PostOutcome, { kind: 'failed' }>): Promise<void> {
    const { webhook, observer, policy, log } = this.#deps;
    this.#failuresInARow += 1;
    this.#pausedUntil = performance.now() + backoffMs(this.#failuresInARow, policy.receiverBackoff);
    if (this.#failuresInARow >= FAILURES_TO_PAUSE) this.#down = { since: performance.now(), ...this.#down, reason };
    this.#report(reason);
    const fields = { webhook: webhook.name, event: item.event.id, attempt: item.attempts, reason };
    if (this.#isTooOld(item)) {
      observer.webhookDelivery(webhook.name, 'dead', tookMs);
      log.error(fields, 'A webhook did not take an event for too long; it is set aside as dead');
      return this.#deadLetter(item, reason);
    }
    observer.webhookDelivery(webhook.name, 'failed', tookMs);
    if (this.#failuresInARow === FAILURES_TO_PAUSE)
      log.warn(fields, 'The receiver of a webhook takes nothing; its events are kept and tried again with pauses');
    else log.debug(fields, 'A delivery to a webhook failed');
    if (this.#failuresInARow >= FAILURES_TO_PAUSE) {
      this.#queues.retry(item);
      return;
    }
    void sleep(backoffMs(item.attempts, policy.eventBackoff), this.#signal).then(() => {
      this.#queues.retry(item);
      this.#deliverDue();
    });
  }

  async #deadLetter(item: Item, reason: string): Promise<void> {
    await this.#deps.feed.deadLetter(item.held, { reason, attempts: item.attempts });
    await this.#settle(item.held.key);
    this.#queues.done(item);
  }

  async #deadLetterUnreadable(held: HeldEvent): Promise<void> {
    const { webhook, observer, log, feed } = this.#deps;
    const reason = 'it cannot be read; another version may have written it';
    log.error({ webhook: webhook.name, position: held.position }, 'Set aside an event that cannot be read as dead');
    observer.webhookDelivery(webhook.name, 'dead', 0);
    await feed.deadLetter(held, { reason, attempts: 0 });
    await this.#settle(held.key);
  }

  /** Throws when NATS does not confirm; then this turn ends, and the event comes again. */
  async #settle(key: string): Promise<void> {
    await this.#held.get(key)?.settle();
    this.#held.delete(key);
    this.#unconfirmed.delete(key);
  }

  /** What fails here ends the turn: the queue does not answer. */
  #track(work: Promise<void>): void {
    const tracked = work
      .catch((error: unknown) => {
        this.#failure ??= asError(error);
        this.#ended.abort();
        this.#boundUnconfirmed();
      })
      .finally(() => this.#underWay.delete(tracked));
    this.#underWay.add(tracked);
  }

  #boundUnconfirmed(): void {
    for (const oldest of this.#unconfirmed) {
      if (this.#unconfirmed.size <= DELIVERED_KEPT) break;
      this.#unconfirmed.delete(oldest);
    }
  }

  #report(failure: string | undefined): void {
    const { statuses, webhook, clock, log } = this.#deps;
    statuses
      .write(webhook.name, {
        deliveredAtMs: this.#deliveredAtMs,
        failedAtMs: failure === undefined ? undefined : clock.now(),
        failure,
        failuresInARow: this.#failuresInARow,
      })
      .catch((error: unknown) =>
        log.debug({ webhook: webhook.name, reason: describeError(error) }, 'How a webhook does could not be stored'),
      );
  }
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(describeError(thrown));
}
