import { instanceUrl, type PublicAddress } from '../domain/address.ts';
import { TryItNowError, describeError } from '../domain/errors.ts';
import { harmNames } from '../domain/harm.ts';
import { visitName } from '../domain/ids.ts';
import type { ReleaseReason } from '../domain/instance.ts';
import { fillLanding, landingFor } from '../domain/landing.ts';
import type { Catalogue, Template } from '../domain/template.ts';
import { templateEnded } from '../domain/template-ended.ts';
import type { Tracer } from '../domain/tracer.ts';
import { DIRECT_SITE } from '../domain/visit-event.ts';
import { isAlive, isLost, releaseDead, type DeliveryDeps } from './deliver.ts';
import { EXEMPT, type Gate, type Proven } from './gate.ts';
import type { ShareWatch } from './share-watch.ts';
import type { Admission, Admitted } from './admission.ts';
import type { ClaimOutcome, HeldScope, Refill } from './interfaces/claim-store.ts';
import { releaseInstance } from './release.ts';
import { countGaveUp } from './wait.ts';

export interface AcquireRequest {
  /** Undefined: the default template. */
  readonly template: string | undefined;
  /** The client address whose rate limit counts; IPv6 already cut to its /64. */
  readonly clientKey: string;
  readonly owner: string;
  /** A repeat by the same owner gets the same instance while they still hold it. */
  readonly idempotencyKey: string | undefined;
  /** Who asks has an API key: whose visitors they are, and how many, is for them to say. */
  readonly trusted?: boolean;
  /** Of the challenge that an earlier request was answered with. */
  readonly solution?: string | undefined;
  /** The embedding site that the click is counted for; DIRECT_SITE without it. */
  readonly site?: string;
  /** Where they want to land, of what the template allows; undefined: where it says. */
  readonly open?: string | undefined;
  /**
   * Whether `url` takes what the activation gave for the first step, which works once. `later`: whoever asks sends them
   * through `enter`.
   */
  readonly landing?: 'now' | 'later';
}

export interface Acquired {
  readonly id: string;
  readonly label: string;
  readonly template: string;
  readonly url: string;
  readonly expiresAtMs: number;
  readonly ttlMs: number;
  /** True when the same owner's earlier claim was found by its idempotency key. */
  readonly again: boolean;
  /** No frame would show it: it needs a tab of its own. */
  readonly bare: boolean;
}

/** None is ready, and the caller has a place among those who wait for one. */
export interface Placed {
  /** 1 is the first. */
  readonly position: number;
  readonly refill: Refill;
}

export interface AcquireDeps extends DeliveryDeps {
  readonly catalogue: Catalogue;
  readonly admission: Pick<Admission, 'admit'>;
  readonly gate: Pick<Gate, 'judge' | 'demand' | 'noteTaken'>;
  readonly shares: Pick<ShareWatch, 'noteTaken' | 'noteRefused' | 'noteEnded'>;
  readonly address: PublicAddress;
  readonly tracer: Tracer;
}

type HandedOut = Extract<ClaimOutcome, { kind: 'taken' | 'again' }>;
type Waiting = Extract<ClaimOutcome, { kind: 'waiting' }>;
type Unconfirmed = Extract<ClaimOutcome, { kind: 'unconfirmed' }>;
type Refused = Exclude<ClaimOutcome, HandedOut | Waiting | Unconfirmed | { kind: 'unproven' }>;

/** A warm container takes a few seconds to make; asking sooner than this is no use. */
const EMPTY_RETRY_MS = 2_000;
/** Until one has ended, was cleaned up and another is there. */
const FULL_RETRY_MS = 10_000;
/** Of what is ready there is less than before, or nothing. */
const LEAVE_FEWER: ReadonlySet<ClaimOutcome['kind']> = new Set(['taken', 'empty', 'waiting', 'unconfirmed']);
/** Only an operator changes that; the same as for a pool they paused. */
const OFF_RETRY_MS = 30_000;

/**
 * Hands a ready instance over: one store round trip, and a look whether the instance reacts. A dead one is released and
 * replaced; who meets two in a row, or three where hosts are not reached, is asked to come again. Throws
 * unknown_template, template_ended, landing_not_allowed, banned, challenge_required, harm_limit, hourly_limit,
 * daily_limit, held_limit, pool_empty, pool_paused, idempotency_mismatch, store_unavailable.
 */
export async function acquire(deps: AcquireDeps, request: AcquireRequest): Promise<Acquired> {
  const template = templateOf(deps, request);
  const served = await serve(deps, request, template, false);
  if ('refill' in served) throw empty(template, served.refill);
  return served;
}

/**
 * The same for who would rather wait: where none is ready, the place of this owner and key is taken, or kept. Whoever
 * has one is served before those who came later. Throws what `acquire` throws, pool_empty where it is no use to wait.
 */
export async function acquireOrWait(
  deps: AcquireDeps,
  request: AcquireRequest & { readonly idempotencyKey: string },
): Promise<Acquired | Placed> {
  return serve(deps, request, templateOf(deps, request), true);
}

/** The request is named, not copied into it: each copy costs as much as validating it. */
interface Wish {
  readonly request: AcquireRequest;
  readonly wait: boolean;
  readonly admitted: Admitted;
  readonly proven: Proven;
}

function templateOf({ catalogue }: AcquireDeps, { template }: AcquireRequest): Template {
  const found = template === undefined ? catalogue.default : catalogue.get(template);
  if (found !== undefined) return found;
  const ended = catalogue.ended(template ?? '');
  throw ended === undefined
    ? new TryItNowError('unknown_template', `there is no template named "${template ?? ''}"`)
    : templateEnded(ended);
}

async function serve(
  deps: AcquireDeps,
  request: AcquireRequest,
  template: Template,
  wait: boolean,
): Promise<Acquired | Placed> {
  const open = landingFor(template, request.open);
  const startedAt = performance.now();
  const admitted = deps.admission.admit(request);
  const proven = admitted.known ? EXEMPT : await deps.gate.judge(template, request);
  const wish: Wish = { request, wait, admitted, proven };
  const found = await aliveOne(deps, wish, template);
  if (found.kind === 'waiting') return { position: found.position, refill: found.refill };
  const landing =
    found.hasLanding && request.landing !== 'later'
      ? await deps.claimStore.takeLanding(found.id, request.owner)
      : undefined;
  deps.observer.acquired(template.name, performance.now() - startedAt);
  return acquired(deps, template, found, landing === undefined ? open : fillLanding(landing, open));
}

async function aliveOne(deps: AcquireDeps, wish: Wish, template: Template): Promise<HandedOut | Waiting> {
  const first = await take(deps, wish, template, undefined);
  if (first.kind === 'waiting' || first.alive) return first.outcome;
  if (first.outcome.kind === 'again') {
    // Who has code in their instance can end it, and each that they get for it: one is free, the next is a take.
    if (first.outcome.isReplacement && first.reason !== 'node_lost') return aliveOne(deps, wish, template);
    return replacementOf(deps, wish, template, first.outcome);
  }
  try {
    const found = await replacementOf(deps, wish, template, first.outcome);
    if (found.kind === 'waiting') await deps.claimStore.uncountClaim(wish.request.clientKey);
    return found;
  } catch (error) {
    // The first was counted, and nothing came of it.
    if (error instanceof TryItNowError && (error.code === 'pool_empty' || error.code === 'held_limit'))
      await deps.claimStore.uncountClaim(wish.request.clientKey);
    throw error;
  }
}

async function replacementOf(
  deps: AcquireDeps,
  wish: Wish,
  template: Template,
  dead: HandedOut,
): Promise<HandedOut | Waiting> {
  const second = await take(deps, wish, template, dead.id);
  if (second.kind === 'waiting' || second.alive) return second.outcome;
  // Where a whole node turned out not to be reached, the next one is on another.
  if (!deps.deliveryCheck.avoided().includes(second.outcome.node)) throw metDeadOnes(deps, template);
  const third = await take(deps, wish, template, second.outcome.id);
  if (third.kind === 'waiting' || third.alive) return third.outcome;
  throw metDeadOnes(deps, template);
}

/** Each of the claims is counted; this is the click, which came to nothing. */
function metDeadOnes({ observer }: AcquireDeps, template: Template): TryItNowError {
  observer.claimed(template.name, 'empty', undefined);
  return empty(template, { kind: 'preparing' });
}

interface Taken {
  readonly kind: 'taken';
  readonly outcome: HandedOut;
  /** False: it is on its way out already. */
  readonly alive: boolean;
  /** Of one that is not alive: why it is taken out. */
  readonly reason?: ReleaseReason | undefined;
}

/** Throws when there was nothing to take, and nothing to wait for. */
async function take(
  deps: AcquireDeps,
  wish: Wish,
  template: Template,
  replacing: string | undefined,
): Promise<Taken | { readonly kind: 'waiting'; readonly outcome: Waiting }> {
  const { observer, tracer } = deps;
  const { outcome, tookMs } = await tracer.span('claim', () => claim(deps, wish, template, replacing));
  if (outcome.kind === 'waiting') {
    observer.claimed(template.name, outcome.isNew ? 'placed' : 'kept', tookMs);
    return { kind: 'waiting', outcome };
  }
  const handedOut = outcome.kind === 'taken' || outcome.kind === 'again' ? outcome : undefined;
  const alive =
    handedOut === undefined ||
    (await tracer.span('delivery check', () => isAlive(deps, template, handedOut))) ||
    (handedOut.kind === 'again' && !(await isLost(deps, handedOut)));
  observer.claimed(template.name, alive ? outcome.kind : 'replaced', tookMs);
  tracer.note(() => ({
    'try_it_now.template': template.name,
    'try_it_now.outcome': alive ? outcome.kind : 'replaced',
    ...(handedOut === undefined
      ? {}
      : { 'try_it_now.visit': visitName(handedOut.id), 'try_it_now.node': handedOut.node }),
  }));
  if (outcome.kind === 'unconfirmed') {
    await giveBack(deps, wish, outcome);
    throw outcome.error;
  }
  if (outcome.kind === 'unproven') throw await deps.gate.demand(template, wish.request, outcome.harmfulEnds);
  if (!wish.admitted.known) noteWho(deps, wish, template, outcome, replacing);
  if (handedOut === undefined) throw refusal(template, outcome as Refused);
  if (alive && handedOut.waitedMs !== undefined) observer.waited(template.name, handedOut.waitedMs);
  const reason = alive ? undefined : await releaseDead(deps, template, handedOut);
  return { kind: 'taken', outcome: handedOut, alive, reason };
}

/** Who takes, and who asks for more than they may. */
function noteWho(
  { gate, shares }: AcquireDeps,
  { request: { clientKey, owner, site } }: Wish,
  template: Template,
  outcome: ClaimOutcome,
  replacing: string | undefined,
): void {
  if (outcome.kind === 'limited') shares.noteRefused({ clientKey, owner, site });
  if (outcome.kind !== 'taken') return;
  gate.noteTaken(template.name);
  if (replacing === undefined) shares.noteTaken({ clientKey, owner, site: outcome.site });
}

/** Nobody is told of it, so nobody would end it; where it is lost, this is as well. Before its visitor comes again. */
async function giveBack(deps: AcquireDeps, { request }: Wish, { id, isNew }: Unconfirmed): Promise<void> {
  if (!isNew) return;
  try {
    const view = await deps.claimStore.find(id);
    if (view !== undefined) await releaseInstance(deps, view.instance, 'unconfirmed', { from: ['assigned'] });
    await deps.claimStore.uncountClaim(request.clientKey);
  } catch (error) {
    deps.log.warn(
      { instance: id, reason: describeError(error) },
      'An instance that nobody was told of could not be ended; it ends when its time is up',
    );
  }
}

/** The one round trip, and what is to be told of it. */
async function claim(
  { claimStore, deliveryCheck, observer, requestRefill }: AcquireDeps,
  { request: { clientKey, owner, idempotencyKey, site = DIRECT_SITE }, wait, admitted, proven }: Wish,
  template: Template,
  replacing: string | undefined,
): Promise<{ readonly outcome: ClaimOutcome; readonly tookMs: number }> {
  const startedAt = performance.now();
  let outcome: ClaimOutcome;
  try {
    outcome = await claimStore.claim({
      template,
      clientKey,
      owner,
      idempotencyKey,
      ttlMs: template.ttl.defaultMs,
      site,
      wait,
      rates: admitted.rates,
      ...proven,
      avoided: deliveryCheck.avoided(),
      held: admitted.held,
      ...(admitted.known ? {} : { harmNames: harmNames(clientKey, owner, admitted.held?.network) }),
      replacing,
    });
  } catch (error) {
    observer.claimed(template.name, 'error', performance.now() - startedAt);
    throw error;
  }
  const tookMs = performance.now() - startedAt;
  if (LEAVE_FEWER.has(outcome.kind)) requestRefill();
  countSteps(observer, template, site, outcome, replacing !== undefined);
  if (outcome.kind === 'limited') observer.limited(template.name, outcome.window);
  if (outcome.lapsed !== undefined) {
    observer.stoppedWaiting(template.name, 'lapsed', outcome.lapsed.length);
    for (const lapsedFrom of outcome.lapsed) countGaveUp(observer, template.name, lapsedFrom);
  }
  return { outcome, tookMs };
}

/** As the store counts them. */
function countSteps(
  observer: AcquireDeps['observer'],
  { name }: Template,
  askedFrom: string,
  outcome: ClaimOutcome,
  replacing: boolean,
): void {
  const { kind } = outcome;
  if (kind === 'limited' || kind === 'paused') {
    observer.visitStep(name, askedFrom, 'clicked');
    observer.visitStep(name, askedFrom, 'refused');
  }
  if (kind !== 'taken') return;
  const { site, waitedMs } = outcome;
  if (!replacing) observer.visitStep(name, site, 'clicked');
  if (!replacing && waitedMs !== undefined) observer.visitStep(name, site, 'waited');
  observer.visitStep(name, site, 'handed_over');
}

function acquired(
  { address }: AcquireDeps,
  template: Template,
  { kind, id, label, deadlineMs, ttlMs, isBare }: HandedOut,
  path: string,
): Acquired {
  return {
    id,
    label,
    template: template.name,
    url: instanceUrl(address, label, path),
    expiresAtMs: deadlineMs,
    ttlMs,
    again: kind === 'again',
    bare: isBare,
  };
}

function refusal(template: Template, outcome: Refused): TryItNowError {
  switch (outcome.kind) {
    case 'empty':
      return empty(template, outcome.refill);
    case 'limited': {
      if (outcome.window === 'held') return holdsEnough(outcome);
      const { window, retryAfterMs } = outcome;
      if (window === 'harm') return didHarm(retryAfterMs);
      return new TryItNowError(
        `${window}_limit`,
        `this address has had its share of instances for ${window === 'hourly' ? 'this hour' : 'today'}`,
        { retryAfterMs },
      );
    }
    case 'paused': {
      const { retryAfterMs, reason } = outcome;
      const message =
        `"${template.name}" is paused by its operators; nothing is handed out for the ` +
        `moment${reason === undefined ? '' : `: ${reason}`}`;
      return new TryItNowError('pool_paused', message, {
        retryAfterMs,
        ...(reason === undefined ? {} : { details: { reason } }),
      });
    }
    case 'key_reused':
      return new TryItNowError(
        'idempotency_mismatch',
        `this idempotency key already belongs to an instance of another template than "${template.name}"`,
      );
  }
}

const HOLDERS: Readonly<Record<HeldScope, string>> = {
  client: 'this address',
  network: 'the network of this address',
  owner: 'this visitor',
};

/** Who holds what behind one address is nobody's business there: no ids. */
function holdsEnough({
  scope,
  limit,
  held,
  retryAfterMs,
}: Extract<Refused, { kind: 'limited'; window: 'held' }>): TryItNowError {
  const message =
    held.length < limit
      ? `${HOLDERS[scope]} holds and waits for ${limit} instances, as many as may be at once; end one or stop waiting`
      : `${HOLDERS[scope]} holds ${held.length} instances, and no more than ${limit} may be held at once; end one, ` +
        `or wait until the first ends in ${Math.ceil(retryAfterMs / 1000)} s`;
  return new TryItNowError('held_limit', message, {
    retryAfterMs,
    details: {
      scope: scope === 'owner' ? 'visitor' : scope === 'client' ? 'address' : 'network',
      limit,
      held: held.map(({ template, deadlineMs }) => ({ template, expires_at: new Date(deadlineMs).toISOString() })),
    },
  });
}

function didHarm(retryAfterMs: number): TryItNowError {
  return new TryItNowError(
    'harm_limit',
    'several visits from this address or browser were ended because they harmed others; nothing is handed out to it ' +
      `for ${Math.ceil(retryAfterMs / 1000)} s`,
    { retryAfterMs },
  );
}

/** Says what is true of the refill, and when it is worth to come again. */
function empty(template: Template, refill: Refill): TryItNowError {
  const { why, retryAfterMs } = outlook(template.name, refill);
  return new TryItNowError('pool_empty', `no instance of "${template.name}" is ready right now; ${why}`, {
    retryAfterMs,
    details: { refill: refill.kind },
  });
}

function outlook(name: string, refill: Refill): { readonly why: string; readonly retryAfterMs: number } {
  switch (refill.kind) {
    case 'preparing':
      return { why: 'more are being prepared', retryAfterMs: EMPTY_RETRY_MS };
    case 'failing': {
      const next = refill.retryInMs > 0 ? `in ${Math.ceil(refill.retryInMs / 1000)} s` : 'now';
      return {
        why: `its last ${refill.failures} starts failed, and the next is tried ${next}`,
        retryAfterMs: Math.max(EMPTY_RETRY_MS, refill.retryInMs),
      };
    }
    case 'off':
      return {
        why: `none are kept ready: the target of "${name}" is 0`,
        retryAfterMs: OFF_RETRY_MS,
      };
    case 'full':
      return {
        why: `all ${refill.inUse} there may be are in use; another is prepared as soon as one has ended`,
        retryAfterMs: FULL_RETRY_MS,
      };
  }
}
