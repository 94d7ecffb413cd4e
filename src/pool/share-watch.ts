import { createHash } from 'node:crypto';
import { addressOf, isLoopback } from '../domain/client-network.ts';
import type { Clock } from '../domain/clock.ts';
import { isHarmful } from '../domain/harm.ts';
import type { Instance } from '../domain/instance.ts';
import type { Log } from '../domain/log.ts';
import { isBrowser, visitorDigest } from '../domain/owner.ts';
import { banCommand } from '../domain/ban-command.ts';
import { SUSPECT_VERSION, type Suspect } from '../domain/suspect.ts';
import { DIRECT_SITE, OTHER_SITE, VISIT_EVENT_VERSION, type SuspectedEvent } from '../domain/visit-event.ts';
import type { Admission } from './admission.ts';
import type { Observer } from './interfaces/observer.ts';
import type { ShareCounts } from './interfaces/share-counts.ts';
import type { EventStream } from './interfaces/event-stream.ts';
import type { Turn } from './interfaces/turn.ts';
import type { EventObserver } from './publish-events.ts';
import { shareFields, unusualShares, type Finding, type ShareFigure, type Taker } from './unusual-shares.ts';

/** Of what was counted since the last round. */
const MOST_FIELDS = 5_000;
/** Longer than two rounds: another server goes on when this one is gone. */
const TURN_MS = 15_000;
/** Who is found again sooner than this has been told of. */
const QUIET_MS = 60 * 60_000;
/** Found, and not in the stream of events yet. */
const MOST_UNTOLD = 100;

/** Somebody unknown: no API key, no allowance, not on this machine. */
interface Unknown {
  readonly clientKey: string;
  readonly owner: string | null;
  readonly site: string | undefined;
}

export interface ShareWatchDeps {
  readonly shareCounts: ShareCounts;
  readonly turn: Pick<Turn, 'take'>;
  readonly admission: Pick<Admission, 'givesWay'>;
  readonly observer: Pick<Observer, 'suspected'>;
  /** Undefined: no webhook asks for it. */
  readonly events?: { readonly stream: EventStream; readonly observer: Pick<EventObserver, 'published'> } | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Finds out who takes an unusual share of what is handed out, and tells of each once. It counts in memory what this
 * process sees, so that no click waits for it; a round brings that to the store, and one server looks at the whole.
 */
export class ShareWatch {
  readonly #deps: ShareWatchDeps;
  #counts = new Map<string, number>();
  #untold: readonly SuspectedEvent[] = [];

  constructor(deps: ShareWatchDeps) {
    this.#deps = deps;
  }

  noteTaken(who: Unknown): void {
    this.#count(who, ['taken']);
  }

  /** A limit was met. */
  noteRefused(who: Unknown): void {
    this.#count(who, ['refused']);
  }

  /** A visit is over. What programs took, others may open, or who has an API key. */
  noteEnded({ client, owner, site, noted, reason }: Instance): void {
    if (
      client === undefined ||
      reason === 'container_lost' ||
      reason === 'node_lost' ||
      owner?.startsWith('api:') === true
    )
      return;
    if (!this.#deps.admission.givesWay(client, false)) return;
    const figures: ShareFigure[] = noted?.includes(',first_page,') === true ? ['ended'] : ['ended', 'unopened'];
    if (isHarmful(reason)) figures.push('harmful');
    this.#count({ clientKey: client, owner, site }, figures);
  }

  /** To be called every few seconds. Throws store_unavailable, and queue_unavailable where it tells webhooks. */
  async round(): Promise<void> {
    await this.#look();
    await this.#tellWebhooks();
  }

  async #look(): Promise<void> {
    const { shareCounts, turn } = this.#deps;
    const counts = this.#counts;
    if (counts.size > 0) {
      this.#counts = new Map();
      await shareCounts.add(counts);
    }
    if (!(await turn.take(TURN_MS))) return;
    const found = unusualShares(await shareCounts.recent());
    if (found.length > 0) await this.#tell(found);
  }

  async #tell(found: readonly Finding[]): Promise<void> {
    const { shareCounts, clock } = this.#deps;
    const now = clock.now();
    const before = new Map((await shareCounts.suspects()).map((suspect) => [nameOf(suspect), suspect]));
    const suspects = found.map((finding): Suspect => {
      const known = before.get(nameOf(finding));
      const isNew = known === undefined || known.lastMs < now - QUIET_MS;
      if (isNew) this.#tellOf(finding);
      return { ...finding, v: SUSPECT_VERSION, sinceMs: isNew ? now : known.sinceMs, lastMs: now };
    });
    await shareCounts.note(suspects);
    if (this.#deps.events !== undefined)
      this.#untold = [...this.#untold, ...suspects.filter(({ sinceMs }) => sinceMs === now).map(eventOf)].slice(
        -MOST_UNTOLD,
      );
  }

  /** What the stream does not take now, the next round tries again. */
  async #tellWebhooks(): Promise<void> {
    const { events } = this.#deps;
    for (let [next] = this.#untold; events !== undefined && next !== undefined; [next] = this.#untold) {
      await events.stream.publish(next);
      events.observer.published(next.type);
      this.#untold = this.#untold.slice(1);
    }
  }

  #tellOf({ kind, who, why, network, taken, takenByAll, ended, unopened, refused, harmful }: Finding): void {
    const { log, observer } = this.#deps;
    observer.suspected(kind, why);
    log.warn(
      { kind, who, why, taken, takenByAll, ended, unopened, refused, harmful, command: banCommand(network) },
      'Somebody takes an unusual share of the instances; `try-it-now bans suspects` shows who, `bans add` stops them',
    );
  }

  #count({ clientKey, owner, site }: Unknown, figures: readonly ShareFigure[]): void {
    // Not an address: who sends an API key.
    if (isLoopback(clientKey) || addressOf(clientKey) === undefined) return;
    const taker: Taker = {
      clientKey,
      visitor: owner !== null && isBrowser(owner) ? visitorDigest(owner) : undefined,
      site: site === DIRECT_SITE || site === OTHER_SITE ? undefined : site,
    };
    for (const field of shareFields(taker, figures)) {
      const count = this.#counts.get(field);
      if (count !== undefined || this.#counts.size < MOST_FIELDS) this.#counts.set(field, (count ?? 0) + 1);
    }
  }
}

function eventOf(suspect: Suspect): SuspectedEvent {
  const { sinceMs: atMs } = suspect;
  const name = createHash('sha256').update(nameOf(suspect)).digest('hex').slice(0, 16);
  return { v: VISIT_EVENT_VERSION, id: `evt_${name}-${atMs}`, atMs, type: 'suspected', data: { suspect } };
}

function nameOf({ kind, who }: Pick<Suspect, 'kind' | 'who'>): string {
  return `${kind} ${who}`;
}
