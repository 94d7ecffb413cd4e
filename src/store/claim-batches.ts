import { ownersKey } from '../domain/ids.ts';
import { DIRECT_SITE } from '../domain/visit-event.ts';
import type { OpenSpan, Tracer } from '../domain/tracer.ts';
import type { ClaimRequest } from '../pool/interfaces/claim-store.ts';
import { COMMAND_TIMEOUT_MS, storeError } from './client.ts';
import { thisHour } from './arrivals.ts';
import { today } from './funnel-counts.ts';
import { keys } from './keys.ts';
import type { ReplicaConfirmation } from './replica-confirmation.ts';
import type { RollbackGuard } from './rollback-guard.ts';
import { CLAIM, FLAG } from './script-codes.ts';
import type { Scripts } from './scripts.ts';
import { MOST_PLACES, PLACE_KEPT_MS } from './waiting-list.ts';

export interface RateLimits {
  /** 0: unlimited. */
  readonly hourly: number;
  readonly daily: number;
}

/** What claim.lua says of one claim. */
export type ClaimReply = readonly [code: number, ...unknown[]];

/** The rest is for the answer's way back to a caller who still waits. */
const EXECUTE_WITHIN_MS = COMMAND_TIMEOUT_MS - 250;
/**
 * So many are sent while the rest of their turn is still being collected, so that Valkey works while this process does:
 * each further one costs it about the same from here on.
 */
const LARGEST_BATCH = 16;
/**
 * What is ready on avoided nodes is passed over without a look for so long. What became ready meanwhile and ends sooner
 * than all of that, as after the templates' largest age was lowered, is found then.
 */
const PASSED_OVER_MS = 5_000;

export interface ClaimBatchesDeps {
  readonly scripts: Scripts;
  readonly guard: Pick<RollbackGuard, 'seen' | 'held'>;
  readonly replicas: Pick<ReplicaConfirmation, 'lacking' | 'confirm'>;
  readonly limits: RateLimits;
  readonly tracer: Tracer;
}

interface Pending {
  readonly request: ClaimRequest;
  /** The span that it is a part of. */
  readonly within: string | undefined;
  readonly resolve: (reply: ClaimReply) => void;
  readonly reject: (error: unknown) => void;
}

interface PassedOver {
  readonly endOfLifeMs: number;
  /** By performance.now(). */
  readonly untilMs: number;
}

/**
 * Sends the claims for one template that come within one turn of the event loop as one command: what each command costs
 * here and at Valkey is spent once for all of them. A claim that comes alone goes out as soon as it did by itself.
 */
export class ClaimBatches {
  readonly #scripts: Scripts;
  readonly #guard: Pick<RollbackGuard, 'seen' | 'held'>;
  readonly #replicas: Pick<ReplicaConfirmation, 'lacking' | 'confirm'>;
  readonly #limits: RateLimits;
  readonly #tracer: Tracer;
  /** By template, time and nodes that are avoided; those of this turn that are not sent so far. */
  readonly #collected = new Map<string, Pending[]>();
  /** By the same: the end of life before which all that is ready is on the nodes that are avoided. */
  readonly #passedOver = new Map<string, PassedOver>();
  /** By the same: whoever comes while one claim looks for that waits for what it finds. */
  readonly #looks = new Map<string, Promise<void>>();
  /** The store's clock less ours (performance.now()), as of its last answer. */
  #aheadMs: number | undefined;

  constructor({ scripts, guard, replicas, limits, tracer }: ClaimBatchesDeps) {
    this.#scripts = scripts;
    this.#guard = guard;
    this.#replicas = replicas;
    this.#limits = limits;
    this.#tracer = tracer;
  }

  /** Throws store_unavailable. */
  run(request: ClaimRequest): Promise<ClaimReply> {
    return new Promise((resolve, reject) => {
      if (this.#collected.size === 0) setImmediate(() => this.#sendAll());
      const group = `${request.template.name} ${request.ttlMs} ${avoidedBy(request)}`;
      const pending = this.#collected.get(group) ?? [];
      pending.push({ request, within: this.#tracer.current(), resolve, reject });
      if (pending.length < LARGEST_BATCH) {
        this.#collected.set(group, pending);
        return;
      }
      this.#collected.delete(group);
      void this.#send(group, pending);
    });
  }

  noteClock(storeNowMs: number): void {
    this.#aheadMs = storeNowMs - performance.now();
  }

  #sendAll(): void {
    const groups = [...this.#collected];
    this.#collected.clear();
    for (const [group, pending] of groups) void this.#send(group, pending);
  }

  async #send(group: string, batch: readonly Pending[]): Promise<void> {
    try {
      if (this.#replicas.lacking) await this.#replicas.confirm();
      const look = this.#looks.get(group);
      if (look !== undefined && this.#passedOverBy(group) === undefined) await look;
      // Asked right before it is sent: the connection may have come back since it was asked for.
      for (let { held } = this.#guard; held !== undefined; { held } = this.#guard) await held;
      const replies = await this.#runOnce(group, batch);
      for (const [at, { resolve, reject }] of batch.entries()) {
        const reply = replies[at];
        if (reply === undefined) reject(storeError(new Error('claim.lua left a claim without an answer')));
        else if (reply[0] === CLAIM.FAILED) reject(storeError(new Error(String(reply[1]))));
        else resolve(reply);
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  #passedOverBy(group: string): PassedOver | undefined {
    const known = this.#passedOver.get(group);
    return known !== undefined && performance.now() < known.untilMs ? known : undefined;
  }

  async #runOnce(group: string, batch: readonly Pending[]): Promise<readonly ClaimReply[]> {
    const known = this.#passedOverBy(group);
    const requests = batch.map(({ request }) => request);
    const running = this.#traced(batch, () => this.#runScript(requests, known?.endOfLifeMs ?? 0));
    const noted = running.then((replies) => this.#notePassedOver(group, known, replies[batch.length] ?? []));
    if (known === undefined && avoidedBy(requests[0]) !== '') {
      const look = noted.catch(() => undefined).finally(() => this.#looks.delete(group));
      this.#looks.set(group, look);
    }
    await noted;
    return running;
  }

  /** `known`: where the look began. That is looked at again in its time, however much is added to it. */
  #notePassedOver(group: string, known: PassedOver | undefined, [endOfLifeMs]: readonly unknown[]): void {
    if (typeof endOfLifeMs !== 'number') return;
    for (const other of this.#passedOver.keys())
      if (this.#passedOverBy(other) === undefined) this.#passedOver.delete(other);
    const untilMs = known?.untilMs ?? performance.now() + PASSED_OVER_MS;
    this.#passedOver.set(group, { endOfLifeMs, untilMs });
  }

  /** In each trace that a claim belongs to, one span for the run they share; the others link to the first one. */
  async #traced<T>(batch: readonly Pending[], run: () => Promise<T>): Promise<T> {
    const spans: OpenSpan[] = [];
    for (const { within: parent } of batch) {
      if (parent === undefined) continue;
      const links = spans.slice(0, 1).map(({ traceparent }) => traceparent);
      const attributes = { 'try_it_now.claims': batch.length };
      const span = this.#tracer.begin({ name: 'valkey claim', parent, links, attributes });
      if (span !== undefined) spans.push(span);
    }
    try {
      const result = await run();
      for (const span of spans) span.end();
      return result;
    } catch (error) {
      for (const span of spans) span.end(error);
      throw error;
    }
  }

  /** `passedOverMs`: the end of life before which all is on avoided nodes, 0: not known. */
  async #runScript(requests: readonly ClaimRequest[], passedOverMs: number): Promise<readonly ClaimReply[]> {
    const [first] = requests;
    if (first === undefined) return [];
    const { template, ttlMs } = first;
    // A key says something for as long as its instance is held, which is the longest stay at most.
    const keyLifeMs = Math.max(ttlMs, template.ttl.maxMs);
    const named: string[] = [];
    const told: (string | number)[] = [];
    for (const request of requests) addClaim(request, keyLifeMs, named, told);
    return (await this.#scripts.runForSeveral(
      'claim',
      [
        keys.ready(template.name),
        keys.assigned(template.name),
        keys.instances,
        keys.claimCount,
        keys.nodes,
        keys.poolControl(template.name),
        keys.warming(template.name),
        keys.leaving(template.name),
        keys.refillPause(template.name),
        keys.funnel(today()),
        keys.eventOutbox,
        keys.eventSettings,
        keys.waiting(template.name),
        keys.waitingLeases(template.name),
        keys.waitingClients(template.name),
        keys.arrivals(template.name, thisHour()),
        ...named,
      ],
      [
        ttlMs,
        this.#limits.hourly,
        this.#limits.daily,
        template.name,
        this.#guard.seen,
        this.#aheadMs === undefined ? 0 : Math.ceil(performance.now() + this.#aheadMs + EXECUTE_WITHIN_MS),
        PLACE_KEPT_MS,
        MOST_PLACES,
        template.ttl.maxMs,
        avoidedBy(first),
        passedOverMs,
        ...told,
      ],
    )) as readonly ClaimReply[];
  }
}

function avoidedBy(request: ClaimRequest | undefined): string {
  const avoided = request?.avoided ?? [];
  return avoided.length === 0 ? '' : `,${avoided.join(',')},`;
}

/** Adds one claim's keys, and what claim.lua is told of it. */
function addClaim(
  {
    owner,
    idempotencyKey,
    replacing,
    site,
    wait,
    clientKey,
    rates,
    held,
    harmNames = [],
    unproven,
    provenFor,
  }: ClaimRequest,
  keyLifeMs: number,
  named: string[],
  told: (string | number)[],
): void {
  const place = idempotencyKey === undefined ? '' : ownersKey(owner, idempotencyKey);
  named.push(
    keys.hourlyRate(clientKey),
    keys.dailyRate(clientKey),
    keys.idempotency(place),
    keys.held(held?.network ?? ''),
    keys.held(owner),
    keys.harm(harmNames[0] ?? ''),
    keys.harm(harmNames[1] ?? ''),
  );
  told.push(
    owner,
    idempotencyKey === undefined ? 0 : keyLifeMs,
    replacing ?? '',
    site ?? DIRECT_SITE,
    place,
    wait === true ? FLAG.YES : FLAG.NO,
    clientKey,
    rates === 'lifted' ? FLAG.NO : FLAG.YES,
    held?.perClient ?? 0,
    held?.perNetwork ?? 0,
    held?.perOwner ?? 0,
    unproven === true ? FLAG.YES : FLAG.NO,
    provenFor ?? 0,
    held?.network ?? '',
  );
}
