import { TryItNowError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import type { Instance } from '../domain/instance.ts';
import type { Template } from '../domain/template.ts';
import type {
  ExtendCause,
  ExtendOutcome,
  InstanceView,
  ClaimOutcome,
  ClaimRequest,
  ClaimStore,
  Refill,
} from '../pool/interfaces/claim-store.ts';
import { ClaimBatches, type ClaimBatchesDeps } from './claim-batches.ts';
import { today } from './funnel-counts.ts';
import { keys } from './keys.ts';
import { NodeEntries } from './node-entries.ts';
import { FAILURES_TO_OPEN } from './provisioning-store.ts';
import { parseRecord } from './records.ts';
import type { ReplicaConfirmation } from './replica-confirmation.ts';
import type { RollbackGuard } from './rollback-guard.ts';
import { CLAIM, EXTEND, FLAG } from './script-codes.ts';
import type { Scripts } from './scripts.ts';

const FIND_BATCH = 200;
/** One repair is enough, unless the store goes back again meanwhile. */
const MAX_RECOVERIES = 3;

type ClaimedReply = readonly [
  code: number,
  id: string,
  label: string,
  deadlineMs: number,
  leftMs: number,
  port: number,
  node: string,
  count: number,
  landing: number,
  waitedMs: number,
  lapsed: readonly string[],
  bare: number,
  site: string,
  nodeName: string,
  replacement: number,
];

type EmptyReply = readonly [
  code: number,
  now: number,
  warming: number,
  all: number,
  target: string,
  failures: number,
  pauseMs: number,
  position: number,
  lapsed: readonly string[],
  isNew: number,
];

type HeldReply = readonly [
  code: number,
  retryAfterMs: number,
  scope: number,
  limit: number,
  held: readonly (string | number)[],
];

const SCOPES = ['client', 'network', 'owner'] as const;

function heldLimit([, retryAfterMs, scope, limit, held]: HeldReply): ClaimOutcome {
  return {
    kind: 'limited',
    window: 'held',
    retryAfterMs,
    scope: SCOPES[scope - 1] ?? 'client',
    limit,
    held: held.flatMap((template, at) =>
      at % 2 === 0 ? [{ template: String(template), deadlineMs: Number(held[at + 1]) }] : [],
    ),
  };
}

/** What is done about an empty pool, as the store's own planning of refills has it. */
function refillOf([, , warming, all, target, failures, pauseMs, position]: EmptyReply, { pool }: Template): Refill {
  // Where none are kept ready, one is started for who waits.
  const wanted = position > 0 ? 1 : /^\d+$/.test(target) ? Number(target) : pool.target;
  if (failures >= FAILURES_TO_OPEN) return { kind: 'failing', failures, retryInMs: pauseMs };
  if (warming > 0) return { kind: 'preparing' };
  if (wanted === 0) return { kind: 'off' };
  return all >= pool.max ? { kind: 'full', inUse: all } : { kind: 'preparing' };
}

/** Few outcomes have any. */
function noted(lapsed: readonly string[]): { readonly lapsed?: readonly string[] } {
  return lapsed.length > 0 ? { lapsed } : {};
}

export interface ClaimStoreDeps extends ClaimBatchesDeps {
  readonly guard: RollbackGuard;
  readonly replicas: ReplicaConfirmation;
  readonly log: Log;
}

export class ValkeyClaimStore implements ClaimStore {
  readonly #scripts: Scripts;
  readonly #guard: RollbackGuard;
  readonly #replicas: ReplicaConfirmation;
  readonly #nodes = new NodeEntries();
  readonly #batches: ClaimBatches;
  readonly #log: Log;

  constructor({ scripts, guard, replicas, limits, tracer, log }: ClaimStoreDeps) {
    this.#scripts = scripts;
    this.#guard = guard;
    this.#replicas = replicas;
    this.#batches = new ClaimBatches({ scripts, guard, replicas, limits, tracer });
    this.#log = log;
  }

  async claim(request: ClaimRequest): Promise<ClaimOutcome> {
    for (let recoveries = 0; ; recoveries += 1) {
      const outcome = await this.#tryClaim(request);
      if (outcome !== undefined) return outcome;
      if (recoveries === MAX_RECOVERIES)
        throw new TryItNowError('store_unavailable', 'Valkey keeps coming back with older data', {
          retryAfterMs: 2_000,
        });
      await this.#guard.recover();
    }
  }

  /** Undefined when the store has lost data. */
  async #tryClaim(request: ClaimRequest): Promise<ClaimOutcome | undefined> {
    const reply = await this.#batches.run(request);
    switch (reply[0]) {
      case CLAIM.EMPTY:
        return this.#empty(reply as EmptyReply, request.template);
      case CLAIM.HOURLY_LIMIT:
        return { kind: 'limited', window: 'hourly', retryAfterMs: Number(reply[1]) };
      case CLAIM.DAILY_LIMIT:
        return { kind: 'limited', window: 'daily', retryAfterMs: Number(reply[1]) };
      case CLAIM.HELD_LIMIT:
        return heldLimit(reply as HeldReply);
      case CLAIM.HARM_LIMIT:
        return { kind: 'limited', window: 'harm', retryAfterMs: Number(reply[1]) };
      case CLAIM.UNPROVEN:
        return { kind: 'unproven', harmfulEnds: Number(reply[1]) };
      case CLAIM.KEY_REUSED:
        return { kind: 'key_reused' };
      case CLAIM.PAUSED:
        return {
          kind: 'paused',
          retryAfterMs: Number(reply[1]),
          reason: String(reply[2]) === '' ? undefined : String(reply[2]),
        };
      case CLAIM.ROLLED_BACK:
        return undefined;
      case CLAIM.TOO_LATE:
        // Our caller does wait: it is the clocks that moved against each other.
        this.#batches.noteClock(Number(reply[1]));
        return this.#tryClaim(request);
      default:
        return this.#claimed(reply as ClaimedReply);
    }
  }

  #empty(reply: EmptyReply, template: Template): ClaimOutcome {
    const [, nowMs, , , , , , position, lapsed, isNew] = reply;
    this.#batches.noteClock(nowMs);
    const refill = refillOf(reply, template);
    return {
      ...(position > 0 ? { kind: 'waiting', position, isNew: isNew === FLAG.YES, refill } : { kind: 'empty', refill }),
      ...noted(lapsed),
    };
  }

  async #claimed(reply: ClaimedReply): Promise<ClaimOutcome> {
    const confirmed = this.#replicas.confirm();
    if (confirmed !== undefined)
      try {
        await confirmed;
      } catch (error) {
        return { kind: 'unconfirmed', id: reply[1], isNew: reply[0] === CLAIM.TAKEN, error };
      }
    return this.#handedOut(reply);
  }

  #handedOut(reply: ClaimedReply): ClaimOutcome {
    const [code, id, label, deadlineMs, leftMs, port, node, count, landing, waitedMs, lapsed, ...last] = reply;
    const [bare, site, nodeName, replacement] = last;
    this.#guard.note(count);
    this.#batches.noteClock(deadlineMs - leftMs);
    return {
      kind: code === CLAIM.SAME_AGAIN ? 'again' : 'taken',
      id,
      label,
      deadlineMs,
      ttlMs: leftMs,
      node: nodeName,
      upstream: this.#nodes.upstream(node, port),
      hasLanding: landing === FLAG.YES,
      isBare: bare === FLAG.YES,
      isReplacement: replacement === FLAG.YES,
      site,
      ...(waitedMs < 0 ? {} : { waitedMs }),
      ...noted(lapsed),
    };
  }

  async uncountClaim(clientKey: string): Promise<void> {
    await this.#scripts.run('uncount-claim', [keys.hourlyRate(clientKey), keys.dailyRate(clientKey)], []);
  }

  async extend(
    instance: Instance,
    byMs: number,
    maxMs: number,
    cause: ExtendCause = 'visitor',
    givesWay = false,
  ): Promise<ExtendOutcome> {
    const [code, first = 0, second = 0, third = 0] = (await this.#scripts.run(
      'extend',
      [
        keys.instances,
        keys.assigned(instance.template),
        keys.poolControl(instance.template),
        keys.funnel(today()),
        keys.eventOutbox,
        keys.eventSettings,
        keys.lastUsed,
        keys.waitingLeases(instance.template),
      ],
      [
        instance.id,
        instance.generation,
        byMs,
        maxMs,
        cause === 'visitor' ? FLAG.YES : FLAG.NO,
        givesWay ? FLAG.YES : FLAG.NO,
      ],
    )) as [number, number?, number?, number?];
    switch (code) {
      case EXTEND.EXTENDED:
        return { kind: 'extended', deadlineMs: first, ttlMs: second, generation: third };
      case EXTEND.UNKNOWN:
        return { kind: 'unknown' };
      case EXTEND.NOT_ASSIGNED:
        return { kind: 'not_assigned' };
      case EXTEND.CONFLICT:
        return { kind: 'conflict' };
      case EXTEND.OTHERS_WAIT:
        return { kind: 'others_wait' };
      case EXTEND.LIMIT:
        return { kind: 'limit', latestDeadlineMs: first };
      default:
        throw new Error(`extend.lua answered with an unknown code ${code}`);
    }
  }

  confirm(): Promise<void> | undefined {
    return this.#replicas.confirm();
  }

  async find(id: string): Promise<InstanceView | undefined> {
    return (await this.findMany([id])).get(id);
  }

  async findByLabel(label: string): Promise<InstanceView | undefined> {
    const [nowMs, text] = (await this.#scripts.run('find-by-label', [keys.hostnames, keys.instances], [label])) as [
      number,
      string,
    ];
    const instance = text === '' ? undefined : parseRecord(text, this.#log);
    return instance === undefined ? undefined : { instance, nowMs };
  }

  async takeLanding(id: string, owner: string): Promise<string | undefined> {
    const landing = (await this.#scripts.run('take-landing', [keys.instances], [id, owner])) as string;
    return landing === '' ? undefined : landing;
  }

  async findMany(ids: readonly string[]): Promise<ReadonlyMap<string, InstanceView>> {
    const found = new Map<string, InstanceView>();
    for (let at = 0; at < ids.length; at += FIND_BATCH) {
      const [nowMs, ...pairs] = (await this.#scripts.run(
        'find',
        [keys.instances, keys.lastUsed],
        ids.slice(at, at + FIND_BATCH),
      )) as [number, ...string[]];
      for (const [index, text] of pairs.entries()) {
        if (index % 2 === 1 || text === '') continue;
        const instance = parseRecord(text, this.#log);
        const lastUsedMs = Number(pairs[index + 1]) || undefined;
        if (instance !== undefined) found.set(instance.id, { instance, nowMs, lastUsedMs });
      }
    }
    return found;
  }
}
