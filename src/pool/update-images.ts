import { createHash } from 'node:crypto';
import type { Clock, SteadyClock } from '../domain/clock.ts';
import { TryItNowError, describeError } from '../domain/errors.ts';
import { IMAGE_PIN_VERSION, type FoundImage, type ImagePin } from '../domain/image-pin.ts';
import { passedSoFar, triedHere, untriedOf } from '../domain/image-trial-parts.ts';
import {
  IMAGE_UPDATE_VERSION,
  isFetched,
  isSameImage,
  isToBeTried,
  isTriedFirst,
  watchedImages,
  type CheckedImage,
  type ImageUpdate,
  type PassedImage,
  type RefusedImage,
  type TriedImage,
  type WatchedImage,
} from '../domain/image-update.ts';
import type { Log } from '../domain/log.ts';
import { isShortOfMemory, whyClosed } from '../domain/placement.ts';
import type { Catalogue, Template } from '../domain/template.ts';
import { VISIT_EVENT_VERSION, type ImageEvent } from '../domain/visit-event.ts';
import { keepPromoted } from './checkpoints.ts';
import type { EventStream } from './interfaces/event-stream.ts';
import type { ImagePins } from './interfaces/image-pins.ts';
import type { ImageUpdateChanges, ImageUpdates } from './interfaces/image-updates.ts';
import type { NodeRegistry } from './interfaces/node-registry.ts';
import type { Observer } from './interfaces/observer.ts';
import type { Turn } from './interfaces/turn.ts';
import type { EventObserver } from './publish-events.ts';
import { removeLeftovers, removeTrial } from './image-leftovers.ts';
import { inTurn } from './in-turn.ts';
import { nextImageCheckMs } from './next-image-check.ts';
import { discard, tryImageWith, type TryImageWithDeps } from './try-image-with.ts';
import { UntriedImages } from './untried-images.ts';

export interface ImageUpdaterDeps {
  readonly catalogue: Pick<Catalogue, 'all' | 'version'>;
  readonly pins: Pick<ImagePins, 'of'>;
  readonly updates: ImageUpdates;
  /** One process tries an image at a time. */
  readonly turnOf: (task: string) => Turn;
  /** Whether names stand for what they do on this process's node; others try only what needs their labels. */
  readonly decides: () => Promise<boolean>;
  readonly trial: TryImageWithDeps['trial'];
  readonly registry: Pick<NodeRegistry, 'node'>;
  readonly node: { readonly name: string; readonly labels: readonly string[] };
  readonly requestReconcile: () => void;
  readonly observer: Pick<Observer, 'imageTried'>;
  /** Undefined: no webhook asks for it. */
  readonly events?: { readonly stream: EventStream; readonly observer: Pick<EventObserver, 'published'> } | undefined;
  readonly clock: Clock;
  readonly steadyClock: SteadyClock;
  readonly log: Log;
}

/** Of a process that is killed: so late another one goes on. */
const TURN = { turnMs: 15_000, againMs: 4_000 };
/** A tag that moved on this host, by a pull or a build there, is noticed so late. */
const LOOK_MS = 10_000;
const REASON_LENGTH = 1_000;
const NONE = 'none';
const MOST_UNTOLD = 100;

type Here = Parameters<ImageUpdates['note']>[2];
const NOT_HERE: Here = { id: NONE, when: 'first' };

/** An image whose turn this process has, and how it stood when that began. */
interface Work {
  readonly image: WatchedImage;
  readonly turn: Turn;
  readonly update: ImageUpdate;
  /** Undefined before a server has had it. */
  readonly pin: ImagePin | undefined;
  readonly seen: string | undefined;
  readonly signal: AbortSignal;
  /** What was said of its steps so far: written down before what comes of them. */
  readonly steps: { told: Promise<unknown> };
}

type Trial = Work & { readonly pin: ImagePin };

/**
 * Looks for new images under the names of those that are tried first, and has them go to visitors when they pass. Goes
 * by what is recorded and what is there, so whoever takes the turn goes on where another process ended.
 */
export class ImageUpdater {
  readonly #deps: ImageUpdaterDeps;
  readonly #startedMs: number;
  readonly #looked = new Map<string, number>();
  readonly #putOff = new UntriedImages();
  #swept = false;
  /** Found out, and not in the stream of events yet. */
  #untold: readonly ImageEvent[] = [];

  constructor(deps: ImageUpdaterDeps) {
    this.#deps = deps;
    this.#startedMs = deps.clock.now();
  }

  /** Throws store_unavailable, engine_unavailable, and queue_unavailable where webhooks are told. */
  async round(signal: AbortSignal): Promise<void> {
    const { catalogue, updates, trial } = this.#deps;
    const images = watchedImages(catalogue.all()).filter(isTriedFirst);
    if (images.length === 0 || trial.runtime.foundImages === undefined) return;
    if (!this.#swept) {
      await removeLeftovers(this.#deps, images);
      this.#swept = true;
    }
    const names = images.map(({ name }) => name);
    const [recorded, agreed, seen] = await Promise.all([
      updates.read(names),
      this.#deps.pins.of(names),
      updates.seen(names),
    ]);
    for (const [at, image] of images.entries()) {
      const [update, pin] = [recorded[at], agreed.get(image.name)];
      if (update === undefined || update.held !== undefined) continue;
      if (pin === undefined && update.asked === undefined) continue;
      const known = { pin, seen: seen.get(image.name) };
      if ((await this.#isDue(image, update, known)) && (await this.#mayTry(image))) await this.#inTurn(image, signal);
    }
    await this.#tellWebhooks();
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

  #tell(type: ImageEvent['type'], image: string, { id, digest }: FoundImage, reason?: string): void {
    const { events, clock, node } = this.#deps;
    if (events === undefined) return;
    const atMs = clock.now();
    const name = createHash('sha256').update(`${type} ${image} ${id} ${atMs}`).digest('hex').slice(0, 32);
    const found = { image, id, ...(digest === undefined ? {} : { digest }), node: node.name };
    const data = { ...found, ...(reason === undefined ? {} : { reason }) };
    const event: ImageEvent = { v: VISIT_EVENT_VERSION, id: `evt_${name}`, atMs, type, data };
    this.#untold = [...this.#untold, event].slice(-MOST_UNTOLD);
  }

  /** Whether there is anything to be done that takes the image's turn. */
  async #isDue(image: WatchedImage, update: ImageUpdate, { pin, seen }: Pick<Work, 'pin' | 'seen'>): Promise<boolean> {
    const { name } = image;
    const { asked, checked, tried, refused } = update;
    const passed = passedSoFar(update, pin);
    const isLeft = passed !== undefined && (await this.#untried(image, passed)).length > 0;
    // What somebody asked for goes on elsewhere.
    const isDone = passed !== undefined && passed.askedMs === asked?.atMs && !isLeft;
    const isPutOff = this.#putOff.isPutOff(name, asked?.atMs, this.#deps.steadyClock.passedMs());
    if ((asked !== undefined && !isPutOff && !isDone) || this.#isToBeFetched(image, checked)) return true;
    if (performance.now() - (this.#looked.get(name) ?? -Infinity) < LOOK_MS) return false;
    this.#looked.set(name, performance.now());
    if (tried !== undefined || seen === undefined) return true;
    if (isPutOff) return false;
    if (isLeft && isFetched(image)) return true;
    const found = await this.#found(name);
    if (found === undefined) return false;
    const is = (known: Parameters<typeof isSameImage>[1] | undefined): boolean =>
      known !== undefined && isSameImage(found, known);
    // Its registry says when it answers again; of others this host does.
    if (checked?.problem !== undefined && is(pin)) return !isFetched(image);
    return (isLeft && is(passed)) || (found.id !== seen && !is(refused));
  }

  #isToBeFetched(image: WatchedImage, checked: CheckedImage | undefined): boolean {
    const next = nextImageCheckMs(image.checks, { lastMs: checked?.atMs, sinceMs: this.#startedMs });
    return isFetched(image) && next !== undefined && next <= this.#deps.clock.now();
  }

  /** A node that begins nothing for visitors begins nothing for this. */
  async #mayTry(image: WatchedImage): Promise<boolean> {
    const { node, registry } = this.#deps;
    if ((await this.#triedHere(image)) === undefined) return false;
    const known = await registry.node(node.name);
    if (known === undefined || whyClosed(known) !== undefined) return false;
    return known.heartbeat === undefined || !isShortOfMemory(known.heartbeat);
  }

  #triedHere(image: WatchedImage): Promise<readonly Template[] | undefined> {
    return triedHere(image, this.#deps.node.labels, this.#deps.decides);
  }

  /** Those that this host may try, and that it has not passed with. */
  async #untried(image: WatchedImage, passed: PassedImage | undefined): Promise<readonly Template[]> {
    const here = (await this.#triedHere(image)) ?? [];
    return untriedOf({ deciding: here }, passed, this.#deps.catalogue);
  }

  async #inTurn(image: WatchedImage, signal: AbortSignal): Promise<void> {
    const { updates, pins, turnOf, log } = this.#deps;
    const { name } = image;
    const turn = turnOf(`image:${name}`);
    const onLost = (reason: string): void => log.info({ image: name, reason }, 'A trial of an image was left');
    await inTurn(turn, { ...TURN, onLost }, signal, async (whileOurs) => {
      // What was read before the turn began may be another process's past.
      const [[update], agreed, seen] = await Promise.all([updates.read([name]), pins.of([name]), updates.seen([name])]);
      if (update === undefined || update.held !== undefined) return;
      const known = { update, pin: agreed.get(name), seen: seen.get(name) };
      await this.#settleOrLeave({ image, turn, ...known, signal: whileOurs, steps: { told: Promise.resolve() } });
    });
  }

  async #settleOrLeave(work: Work): Promise<void> {
    try {
      await this.#settle(work);
    } catch (error) {
      // Nobody is at it until the next process takes it up.
      if (work.signal.aborted) await this.#note(work, NOT_HERE, { tried: undefined }).catch(() => undefined);
      throw error;
    }
  }

  async #settle(work: Work): Promise<void> {
    const { trial } = this.#deps;
    const { image, update, pin, seen } = work;
    // It is this process's turn: whatever there is of the image's trials was left by another one.
    const before = await this.#found(image.name);
    if (update.tried !== undefined) await removeTrial(trial, image.name, update, await trial.runtime.list());
    if (!(await this.#note(work, { id: before?.id ?? NONE, when: 'first' }, { tried: undefined }))) return;
    const asked = update.asked !== undefined;
    const passed = passedSoFar(update, pin);
    const isLeft = passed !== undefined && (await this.#untried(image, passed)).length > 0;
    const isFetching = isFetched(image) && (asked || isLeft || this.#isToBeFetched(image, update.checked));
    const fetched = isFetching ? await this.#fetch(work) : undefined;
    if (fetched === false) return;
    const found = fetched === undefined ? before : await this.#found(image.name);
    if (found === undefined && asked) await this.#checkedInVain(work, 'this host has no image of that name');
    // Without a pin whatever is found becomes what visitors get.
    else if (pin === undefined && asked)
      await this.#note(work, NOT_HERE, { asked: undefined, checked: this.#checked() });
    if (found === undefined || pin === undefined) return;
    const known = { pin, seen: seen ?? before?.id ?? NONE, refused: update.refused, asked };
    const isNext = isLeft && isSameImage(found, passed);
    if (isNext || isToBeTried(found, known)) await this.#try({ ...work, pin }, found);
    else if (isSameImage(found, pin))
      await this.#upToDate(work, found, isFetching ? 'registry' : isFetched(image) ? 'lagging' : 'host');
  }

  /** `lagging`: of a registry that was not asked, so that the name may lead elsewhere; `host`: of this one alone. */
  async #upToDate(work: Work, { id }: FoundImage, of: 'registry' | 'host' | 'lagging'): Promise<void> {
    const { seen, update } = work;
    const certain = of !== 'lagging';
    const isPassedHere = of === 'registry' || update.passed?.node === this.#deps.node.name;
    const changes = {
      ...(update.asked === undefined ? {} : { asked: undefined }),
      // What was refused is not under the name any more.
      ...(certain && update.refused !== undefined ? { refused: undefined } : {}),
      ...(certain && isPassedHere && update.passed !== undefined ? { passed: undefined } : {}),
      ...(certain && update.checked?.problem !== undefined ? { checked: this.#checked() } : {}),
    };
    if (seen !== id || Object.keys(changes).length > 0) await this.#note(work, { id, when: 'always' }, changes);
  }

  /** False: it could not be had. */
  async #fetch(work: Work): Promise<boolean> {
    const { trial, log } = this.#deps;
    const { image, update, signal } = work;
    const { name } = image;
    const onStep = this.#steps(work, {});
    const earlier = update.checked?.problem;
    try {
      onStep('asking its registry');
      await trial.runtime.fetchImage?.(name, (soFar) => onStep(`fetching it: ${soFar}`));
    } catch (error) {
      signal.throwIfAborted();
      await this.#checkedInVain(work, describeError(error).slice(0, REASON_LENGTH));
      return false;
    }
    if (earlier !== undefined) log.info({ image: name }, 'The registry of the image answers again');
    return this.#note(work, NOT_HERE, { checked: this.#checked(), tried: undefined });
  }

  async #checkedInVain(work: Work, reason: string): Promise<void> {
    const { image, update } = work;
    const earlier = update.checked?.problem;
    const problem = { reason, sinceMs: earlier?.sinceMs ?? this.#deps.clock.now() };
    if (update.passed !== undefined) this.#putOff.add(image.name, undefined, this.#deps.steadyClock.passedMs());
    await this.#note(work, NOT_HERE, { checked: this.#checked(problem), tried: undefined, asked: undefined });
    const said = 'Nobody can say whether there is a new image; the one there is stays';
    if (earlier === undefined) this.#deps.log.warn({ image: image.name, reason }, said);
  }

  #checked(problem?: CheckedImage['problem']): CheckedImage {
    return { v: IMAGE_UPDATE_VERSION, atMs: this.#deps.clock.now(), ...(problem === undefined ? {} : { problem }) };
  }

  async #try(work: Trial, found: FoundImage): Promise<void> {
    const { clock, steadyClock, log, observer } = this.#deps;
    const { image, pin, update } = work;
    const { name } = image;
    const { id, digest } = found;
    log.info({ image: name, id, digest, before: pin.id }, 'A new image is tried before anybody gets it');
    try {
      const known = passedSoFar(update, pin);
      const passed = known !== undefined && isSameImage(found, known) ? known : undefined;
      const here = await this.#untried(image, passed);
      const verdict = await tryImageWith(this.#deps, here, image, found, this.#steps(work, found), work.signal);
      this.#putOff.settled(name);
      if (verdict.kind === 'refused') await this.#refuse(work, found, verdict.reason);
      else {
        const templates = { ...passed?.templates, ...this.#passedWith(here, verdict.made) };
        await this.#pass(work, found, templates, verdict.made);
      }
    } catch (error) {
      if (work.signal.aborted || isStoreGone(error)) throw error;
      const times = this.#putOff.add(name, update.asked?.atMs, steadyClock.passedMs());
      const reason = describeError(error).slice(0, REASON_LENGTH);
      observer.imageTried('untried');
      log.warn({ image: name, id, reason, times }, 'A new image could not be tried; the one before stays meanwhile');
      const problem = { reason, sinceMs: update.checked?.problem?.sinceMs ?? clock.now(), untried: true as const };
      // What somebody asked for is still to be done.
      await this.#note(work, NOT_HERE, { tried: undefined, checked: this.#checked(problem) });
    }
  }

  #passedWith(templates: readonly Template[], made: Readonly<Record<string, string>>): PassedImage['templates'] {
    return Object.fromEntries(
      templates.map(({ name }) => {
        const checkpoint = made[name];
        const version = this.#deps.catalogue.version(name) ?? '';
        return [name, { version, ...(checkpoint === undefined ? {} : { checkpoint }) }];
      }),
    );
  }

  /** It goes to visitors once it has passed with every template, on whichever hosts. */
  async #pass(
    work: Trial,
    found: FoundImage,
    templates: PassedImage['templates'],
    made: Readonly<Record<string, string>>,
  ): Promise<void> {
    const { catalogue, clock, log, node } = this.#deps;
    const { image, update } = work;
    const { name } = image;
    const left = untriedOf(image, { templates }, catalogue).map((template) => template.name);
    if (left.length === 0) {
      await this.#adopt(work, found, templates, made);
      return;
    }
    const { id, digest } = found;
    const asked = update.asked === undefined ? {} : { askedMs: update.asked.atMs };
    const of = { id, ...(digest === undefined ? {} : { digest }), node: node.name, atMs: clock.now(), ...asked };
    const passed: PassedImage = { v: IMAGE_UPDATE_VERSION, ...of, templates };
    const changes = { passed, tried: undefined, refused: undefined, checked: this.#checked() };
    if (!(await this.#note(work, { id, when: 'always' }, changes))) {
      await discard(this.#deps, made);
      return;
    }
    const said = 'A new image has passed on this host; it waits for hosts that may try it with the other templates';
    if (Object.keys(templates).length > Object.keys(update.passed?.templates ?? {}).length)
      log.info({ image: name, id, digest, passed: Object.keys(templates), left }, said);
  }

  async #refuse(work: Trial, found: FoundImage, reason: string): Promise<void> {
    const { id, digest } = found;
    const { clock, log, observer, node } = this.#deps;
    const { name } = work.image;
    const refused: RefusedImage = {
      v: IMAGE_UPDATE_VERSION,
      id,
      ...(digest === undefined ? {} : { digest }),
      why: 'failed',
      ...{ reason, node: node.name, atMs: clock.now() },
    };
    const changes = { refused, passed: undefined, tried: undefined, asked: undefined, checked: this.#checked() };
    if (!(await this.#note(work, { id, when: 'always' }, changes))) return;
    observer.imageTried('refused');
    this.#tell('image_refused', name, found, reason);
    log.error(
      { image: name, id, digest, reason, stays: work.pin.id },
      'A new image is refused and reaches nobody; the one before stays. When that is fixed under the same digest: ' +
        '`try-it-now images check`',
    );
  }

  /** `made`: the checkpoints that are here. */
  async #adopt(
    work: Trial,
    found: FoundImage,
    passed: PassedImage['templates'],
    made: Readonly<Record<string, string>>,
  ): Promise<void> {
    const { id, digest } = found;
    const { trial, updates, node, clock, log, observer, requestReconcile } = this.#deps;
    const { image, pin, turn } = work;
    const { name } = image;
    const promoted = Object.fromEntries(
      image.deciding.flatMap((template) => {
        const checkpoint = passed[template.name]?.checkpoint;
        return checkpoint === undefined ? [] : [[template.name, checkpoint]];
      }),
    );
    const to: ImagePin = { v: IMAGE_PIN_VERSION, id, ...(digest === undefined ? {} : { digest }), node: node.name };
    const former = { v: IMAGE_UPDATE_VERSION, pin, untilMs: clock.now(), promoted } as const;
    await work.steps.told;
    if (!(await updates.adopt(turn.fence, { name, from: pin, to, former, refused: undefined }))) {
      await discard(this.#deps, made);
      log.info(
        { image: name, id },
        'A new image passed its trial too late: it was held, or another one came before it',
      );
      return;
    }
    for (const id of Object.values(made)) await keepPromoted(trial, id);
    if (work.update.checked?.problem !== undefined)
      await this.#note(work, { id, when: 'always' }, { checked: this.#checked() });
    observer.imageTried('adopted');
    this.#tell('image_adopted', name, found);
    log.info(
      { image: name, id, digest, before: pin.id, checkpoints: Object.values(promoted) },
      'A new image has passed its trial; what is ready is replaced step by step',
    );
    requestReconcile();
  }

  /** Tells how far it is, in the order of the steps. A step that cannot be written down is none that fails. */
  #steps(work: Work, found: Partial<Pick<FoundImage, 'id' | 'digest'>>): (step: string) => void {
    const { clock, node, log } = this.#deps;
    const sinceMs = clock.now();
    const { id, digest } = found;
    const of = { ...(id === undefined ? {} : { id }), ...(digest === undefined ? {} : { digest }) };
    const { steps } = work;
    return (step) => {
      log.debug({ image: work.image.name, step }, 'A new image is looked for or tried');
      const said = { node: node.name, step: step.slice(0, REASON_LENGTH), sinceMs };
      const tried: TriedImage = { v: IMAGE_UPDATE_VERSION, ...of, ...said };
      steps.told = steps.told
        .then(() => this.#write(work, NOT_HERE, { tried }))
        .catch((error: unknown) => log.debug({ reason: describeError(error) }, 'How far a trial is was not noted'));
    };
  }

  async #note(work: Work, ...what: readonly [Here, ImageUpdateChanges]): Promise<boolean> {
    await work.steps.told;
    return this.#write(work, ...what);
  }

  #write({ image, turn }: Work, here: Here, changes: ImageUpdateChanges): Promise<boolean> {
    return this.#deps.updates.note(turn.fence, image.name, here, changes);
  }

  async #found(name: string): Promise<FoundImage | undefined> {
    return (await this.#deps.trial.runtime.foundImages?.([name]))?.[0];
  }
}

function isStoreGone(error: unknown): boolean {
  return error instanceof TryItNowError && error.code === 'store_unavailable';
}
