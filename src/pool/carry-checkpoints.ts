import { rm } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import {
  CHECKPOINT_OFFER_VERSION,
  aboutOf,
  type CheckpointArrival,
  type CheckpointMetadata,
  type CheckpointOffer,
} from '../domain/checkpoint.ts';
import { areOfTheHost, describeDifferences, differences, standIn } from '../domain/checkpoint-fit.ts';
import type { Clock, SteadyClock } from '../domain/clock.ts';
import { TryItNowError, describeError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { isRestorable } from '../domain/restorable.ts';
import type { Catalogue, Template } from '../domain/template.ts';
import { backoffMs } from '../lifecycle/backoff.ts';
import type { CheckpointDeps } from './checkpoint-command.ts';
import { createCheckpoint } from './checkpoints.ts';
import type { CheckpointOffers } from './interfaces/checkpoint-offers.ts';
import type { CheckpointRepository } from './interfaces/checkpoint-repository.ts';
import type { CheckpointShare } from './interfaces/checkpoint-share.ts';
import type { Checkpointing } from './interfaces/checkpointing.ts';
import type { ImageUpdates } from './interfaces/image-updates.ts';
import type { NodeRegistry } from './interfaces/node-registry.ts';
import type { Observer } from './interfaces/observer.ts';
import type { ProcessRegistry } from './interfaces/process-registry.ts';
import type { Promotions } from './interfaces/promotions.ts';
import type { Turn } from './interfaces/turn.ts';
import { inTurn } from './in-turn.ts';
import { noteSettings } from './note-settings.ts';
import { OffersOfGoneTemplates } from './offers-of-gone-templates.ts';
import { removeUnused } from './remove-unused-checkpoints.ts';
import { verifyCheckpoint } from './verify-checkpoint.ts';

export interface CarrierDeps {
  readonly catalogue: Catalogue;
  readonly checkpointing: Checkpointing;
  /** What instances are restored from. */
  readonly checkpointRepository: CheckpointRepository;
  /** What arrives and what is made here, on trial in a repository of its own. */
  readonly trial: CheckpointDeps;
  readonly promotions: Promotions;
  readonly updates: Pick<ImageUpdates, 'read'>;
  readonly offers: CheckpointOffers;
  /** Undefined: nothing goes from node to node. */
  readonly share: CheckpointShare | undefined;
  readonly registry: Pick<NodeRegistry, 'nodes'>;
  readonly processes: Pick<ProcessRegistry, 'everyone' | 'running'>;
  /** One node at a time leaves something, and removes what nobody fetches any more. */
  readonly turn: Turn;
  readonly node: { readonly name: string; readonly labels: readonly string[] };
  readonly observer: Pick<Observer, 'checkpointCarried'>;
  readonly clock: Clock;
  readonly steadyClock: SteadyClock;
  readonly log: Log;
}

/** As long as a transfer goes on, it is asked for again. */
const TURN = { turnMs: 30_000, againMs: 10_000 };
const AGAIN = { baseMs: 60_000, maxMs: 30 * 60_000 };
const DETAIL_LENGTH = 300;
/** What a node left for others that was killed before it said so goes so late. */
const SHARE_LOOK_MS = 10 * 60_000;

interface Wanted {
  readonly template: Template;
  /** Promoted. */
  readonly id: string;
}

interface Leavable {
  readonly archive: string;
  readonly metadata: CheckpointMetadata;
}

/**
 * Has this node restore the promoted checkpoint of each template: fetches it where it is missing, tries it, and only
 * then keeps it; makes one of its own where it cannot work here, for another kernel, processor or version of the
 * program. Leaves what other nodes lack for them.
 */
export class CheckpointCarrier {
  readonly #deps: CarrierDeps;
  readonly #arrivals = new Map<string, CheckpointArrival>();
  /** By template and checkpoint: how often it failed, and until when it is left. */
  readonly #failed = new Map<string, { readonly times: number; readonly untilMs: number; readonly reason: string }>();
  /** Those that fit and did not restore here all the same. */
  readonly #unrestorable = new Set<string>();
  readonly #ofGoneTemplates: OffersOfGoneTemplates;
  #shareLookedAt = -Infinity;

  constructor(deps: CarrierDeps) {
    this.#deps = deps;
    this.#ofGoneTemplates = new OffersOfGoneTemplates(deps);
  }

  /** By template, how far this node is with its promoted checkpoint. */
  arrivals(): Readonly<Record<string, CheckpointArrival>> {
    return Object.fromEntries(this.#arrivals);
  }

  /** Throws store_unavailable, checkpoint_share_unavailable. */
  async round(signal: AbortSignal): Promise<void> {
    const { trial, checkpointRepository } = this.#deps;
    const wanted = await this.#wanted();
    for (const name of this.#arrivals.keys())
      if (!wanted.some(({ template }) => template.name === name)) this.#arrivals.delete(name);
    // Nothing is on trial between rounds: what there is, a process that ended left.
    for (const { id } of await trial.checkpointRepository.list()) await trial.checkpointRepository.remove(id);
    for (const repository of [trial.checkpointRepository, checkpointRepository]) await repository.tidy();
    const offers = await this.#deps.offers.list();
    for (const each of wanted) await this.#settle(each, offers.get(each.id), signal);
    // On a full disk nothing can be noted before this.
    await removeUnused(this.#deps);
    await noteSettings(this.#deps);
    await this.#leaveForOthers(offers, signal);
  }

  async #wanted(): Promise<readonly Wanted[]> {
    const { catalogue, promotions, node } = this.#deps;
    const templates = catalogue
      .all()
      .filter((each) => isRestorable(each) && each.nodes.every((label) => node.labels.includes(label)));
    const current = await promotions.current(templates.map(({ name }) => name));
    return templates.flatMap((template) => {
      const id = current.get(template.name);
      return id === undefined ? [] : [{ template, id }];
    });
  }

  async #settle(wanted: Wanted, offer: CheckpointOffer | undefined, signal: AbortSignal): Promise<void> {
    const { template, id } = wanted;
    const key = `${template.name} ${id}`;
    const failed = this.#failed.get(key);
    try {
      const todo = await this.#look(wanted, offer);
      if (todo === undefined) return;
      if (failed !== undefined && this.#deps.steadyClock.passedMs() < failed.untilMs) {
        this.#say(wanted, 'refused', failed.reason);
        return;
      }
      await todo(signal);
      this.#failed.delete(key);
    } catch (error) {
      if (signal.aborted || isOneOf(error, 'store_unavailable')) throw error;
      const reason = describeError(error);
      this.#say(wanted, 'refused', reason);
      const times = (failed?.times ?? 0) + 1;
      const untilMs = this.#deps.steadyClock.passedMs() + backoffMs(times, AGAIN);
      this.#failed.set(key, { times, untilMs, reason });
      this.#deps.log.warn(
        { template: template.name, checkpoint: id, reason, times },
        'This node cannot have the promoted checkpoint yet; its instances are started cold',
      );
    }
  }

  /** Says how it is, and returns what is to be done about it. */
  async #look(
    wanted: Wanted,
    offer: CheckpointOffer | undefined,
  ): Promise<((signal: AbortSignal) => Promise<void>) | undefined> {
    const { checkpointing, checkpointRepository, catalogue } = this.#deps;
    const { template, id } = wanted;
    const stored = (await checkpointRepository.list()).filter(({ problem }) => problem === undefined);
    const here = stored.find((each) => each.id === id)?.metadata;
    const metadata = here ?? offer?.metadata;
    if (metadata === undefined) {
      this.#say(wanted, 'waiting', await this.#whyNotOffered(wanted));
      return undefined;
    }
    const availability = await checkpointing.availability();
    if (!availability.available) {
      this.#say(wanted, 'refused', availability.reason);
      return undefined;
    }
    const host = await checkpointing.host(template);
    const fit = { template: template.name, templateVersion: catalogue.version(template.name) ?? '', host };
    const found = differences(metadata, fit);
    if (found.length === 0 && !this.#unrestorable.has(id)) {
      if (here === undefined && offer !== undefined) return (signal) => this.#fetch(wanted, offer, signal);
      this.#say(wanted, 'here', '');
      return undefined;
    }
    if (!areOfTheHost(found, metadata, template)) {
      this.#refuse(wanted, `it was made for ${describeDifferences(found)}`);
      return undefined;
    }
    const own = standIn(stored, id, fit);
    if (own === undefined) return (signal) => this.#make(wanted, signal);
    this.#say(wanted, 'own', own.id);
    return undefined;
  }

  async #whyNotOffered({ template, id }: Wanted): Promise<string> {
    const { registry, node } = this.#deps;
    const has = (await registry.nodes()).some(
      ({ name, heartbeat }) => name !== node.name && heartbeat?.checkpoints.includes(id) === true,
    );
    return has
      ? 'no node that has it has left it for others yet'
      : 'no node that runs has it: start one that has, or make another ' +
          `(try-it-now checkpoint create ${template.name} --promote)`;
  }

  async #fetch(wanted: Wanted, { metadata, node }: CheckpointOffer, signal: AbortSignal): Promise<void> {
    const { share, trial, offers, observer, log } = this.#deps;
    const { template, id } = wanted;
    if (share === undefined) throw new Error('nothing is offered where nodes leave nothing for each other');
    const begun = performance.now();
    const draft = await trial.draftArchive();
    const progress = this.#progress(wanted, 'fetching', metadata.sizeBytes);
    progress(0);
    try {
      await share.fetch(id, draft, { onBytes: progress, signal });
      await this.#keepSound(wanted, draft, { ...aboutOf(metadata), fetched: true }, metadata.sha256, signal);
    } catch (error) {
      signal.throwIfAborted();
      observer.checkpointCarried(template.name, 'fetched', 'failure');
      // Who has it leaves it again.
      if (isOneOf(error, 'unknown_checkpoint', 'checkpoint_damaged')) await offers.withdraw(id);
      if (!isOneOf(error, 'restore_failed')) throw error;
      this.#unrestorable.add(id);
      log.warn(
        { template: template.name, checkpoint: id, reason: describeError(error) },
        'The promoted checkpoint does not restore on this node, which makes one of its own',
      );
      await this.#make(wanted, signal);
      return;
    } finally {
      await rm(draft, { force: true });
    }
    observer.checkpointCarried(template.name, 'fetched', 'success');
    this.#say(wanted, 'here', '');
    log.info(
      { template: template.name, checkpoint: id, from: node, bytes: metadata.sizeBytes, tookMs: since(begun) },
      'The promoted checkpoint has arrived, and restores here',
    );
  }

  async #make(wanted: Wanted, signal: AbortSignal): Promise<void> {
    const { trial, observer, log } = this.#deps;
    const { template, id } = wanted;
    const begun = performance.now();
    const saying = (step: string): void => this.#say(wanted, 'making', step);
    saying('one of its own, since the promoted one does not work here');
    try {
      const made = await createCheckpoint(trial, template.name, saying, signal);
      await this.#tryAndKeep(wanted, made, { ...aboutOf(made), standsFor: id }, signal);
      await this.#removeFormer(id, made.id);
      observer.checkpointCarried(template.name, 'made', 'success');
      this.#say(wanted, 'own', made.id);
      log.info(
        { template: template.name, checkpoint: id, own: made.id, tookMs: since(begun) },
        'This node has made a checkpoint of its own in place of the promoted one',
      );
    } catch (error) {
      if (!signal.aborted) observer.checkpointCarried(template.name, 'made', 'failure');
      throw error;
    }
  }

  /** By when they were made the clock may tell the newest wrongly. */
  async #removeFormer(promoted: string, own: string): Promise<void> {
    const { checkpointRepository } = this.#deps;
    for (const { id, metadata } of await checkpointRepository.list())
      if (metadata?.standsFor === promoted && id !== own) await checkpointRepository.remove(id);
  }

  /** Throws checkpoint_damaged for an archive that is not what was offered. */
  async #keepSound(wanted: Wanted, draft: string, about: About, sha256: string, signal: AbortSignal): Promise<void> {
    const { checkpointRepository: onTrial } = this.#deps.trial;
    const arrived = await onTrial.add(draft, about, sha256);
    await this.#tryAndKeep(wanted, arrived, about, signal);
  }

  /** It counts from here on, and not before it was restored on this node. */
  async #tryAndKeep(wanted: Wanted, { id }: CheckpointMetadata, about: About, signal: AbortSignal): Promise<void> {
    const { trial, checkpointRepository } = this.#deps;
    try {
      await verifyCheckpoint(trial, id, (step) => this.#say(wanted, 'trying', step), signal);
      const tried = (await trial.checkpointRepository.list()).find((each) => each.id === id);
      if (tried === undefined) throw new Error(`${id} was on trial just now`);
      await checkpointRepository.add(tried.archive, about);
    } finally {
      await trial.checkpointRepository.remove(id);
    }
  }

  /** What others lack, and nothing that nobody fetches any more. */
  async #leaveForOthers(offers: ReadonlyMap<string, CheckpointOffer>, signal: AbortSignal): Promise<void> {
    const { share, turn, log } = this.#deps;
    if (share === undefined) return;
    const lacking = await this.#lacking(offers);
    const looks = performance.now() - this.#shareLookedAt > SHARE_LOOK_MS;
    if (!looks && lacking.length === 0 && (await this.#outdated(offers)).length === 0) return;
    const onLost = (reason: string): void => log.info({ reason }, 'Another node leaves checkpoints for others now');
    await inTurn(turn, { ...TURN, onLost }, signal, async (whileOurs) => {
      // First: it may be what takes the room that is needed.
      await this.#removeOutdated(share);
      this.#shareLookedAt = performance.now();
      for (const each of lacking) await this.#leave(share, each, whileOurs);
    });
  }

  /** What is here and promoted, and another node is without; whether or not this one restores it itself. */
  async #lacking(offers: ReadonlyMap<string, CheckpointOffer>): Promise<readonly Leavable[]> {
    const { catalogue, registry, processes, node, checkpointRepository, promotions, trial } = this.#deps;
    const others = (await registry.nodes()).filter(
      ({ name, heartbeat }) => name !== node.name && heartbeat?.engine === trial.runtime.engine,
    );
    const lacked = (await checkpointRepository.list()).flatMap(({ id, archive, metadata, problem }) =>
      metadata === undefined ||
      problem !== undefined ||
      offers.has(id) ||
      others.every(({ heartbeat }) => heartbeat?.checkpoints.includes(id) === true)
        ? []
        : [{ archive, metadata }],
    );
    const current = await promotions.current([...new Set(lacked.map(({ metadata }) => metadata.template))]);
    const promoted = lacked.filter(({ metadata: { template, id } }) => current.get(template) === id);
    const isForOthers = promoted.some(({ metadata }) => catalogue.get(metadata.template) === undefined);
    const running = isForOthers ? await processes.running() : [];
    const offered = new Set(running.flatMap(({ templates }) => Object.keys(templates)));
    return promoted.filter(({ metadata: { template } }) => {
      const own = catalogue.get(template);
      return own === undefined ? offered.has(template) : isRestorable(own);
    });
  }

  async #leave(share: CheckpointShare, { archive, metadata }: Leavable, signal: AbortSignal): Promise<void> {
    const { offers, node, observer, log } = this.#deps;
    const { template, id, format, sizeBytes, sha256 } = metadata;
    const begun = performance.now();
    try {
      await share.put(id, archive, { onBytes: () => undefined, signal });
      await offers.offer({
        v: CHECKPOINT_OFFER_VERSION,
        node: node.name,
        metadata: { ...aboutOf(metadata), format, id, sizeBytes, sha256 },
      });
    } catch (error) {
      if (!signal.aborted) observer.checkpointCarried(template, 'left', 'failure');
      throw error;
    }
    observer.checkpointCarried(template, 'left', 'success');
    log.info(
      { template, checkpoint: id, bytes: sizeBytes, tookMs: since(begun), share: share.name },
      'The promoted checkpoint is there for the other nodes',
    );
  }

  /** What is not promoted any more, or nobody needs, and what an upload left that nobody ended. */
  async #removeOutdated(share: CheckpointShare): Promise<void> {
    const { offers } = this.#deps;
    const offered = await offers.list();
    const outdated = await this.#outdated(offered);
    for (const id of outdated) await offers.withdraw(id);
    await share.tidy();
    for (const id of (await share.list()).keys()) if (!offered.has(id) || outdated.includes(id)) await share.remove(id);
  }

  async #outdated(offers: ReadonlyMap<string, CheckpointOffer>): Promise<readonly string[]> {
    const templates = new Set([...offers.values()].map(({ metadata }) => metadata.template));
    const current = await this.#deps.promotions.current([...templates]);
    const removable = await this.#ofGoneTemplates.removable(offers);
    return [...offers].flatMap(([id, { metadata }]) =>
      current.get(metadata.template) === id && !removable.has(id) ? [] : [id],
    );
  }

  #progress(wanted: Wanted, state: CheckpointArrival['state'], ofBytes: number): (bytes: number) => void {
    return (bytes) => this.#say(wanted, state, `${megabytes(bytes)} of ${megabytes(ofBytes)} MB`);
  }

  /** Said once: as a rule nobody but an operator changes it. */
  #refuse(wanted: Wanted, reason: string): void {
    const template = wanted.template.name;
    const before = this.#arrivals.get(template);
    this.#say(wanted, 'refused', reason);
    if (isDeepStrictEqual(before, this.#arrivals.get(template))) return;
    this.#deps.log.warn(
      { template, checkpoint: wanted.id, reason, remedy: `try-it-now checkpoint create ${template} --promote` },
      'The promoted checkpoint does not fit this node; instances start cold until it does, or another is promoted',
    );
  }

  #say({ template, id }: Wanted, state: CheckpointArrival['state'], detail: string): void {
    this.#arrivals.set(template.name, { checkpoint: id, state, detail: detail.slice(0, DETAIL_LENGTH) });
  }
}

type About = Parameters<CheckpointRepository['add']>[1];

function isOneOf(error: unknown, ...codes: readonly TryItNowError['code'][]): boolean {
  return error instanceof TryItNowError && codes.includes(error.code);
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1e6);
}

function since(begun: number): number {
  return Math.round(performance.now() - begun);
}
