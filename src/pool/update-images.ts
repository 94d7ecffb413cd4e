import { isDeepStrictEqual } from 'node:util';
import type { Clock, SteadyClock } from '../domain/clock.ts';
import { TryItNowError, describeError } from '../domain/errors.ts';
import { IMAGE_PIN_VERSION, type FoundImage, type ImagePin } from '../domain/image-pin.ts';
import {
  IMAGE_UPDATE_VERSION,
  isFetched,
  isSameImage,
  isToBeTried,
  isTriedFirst,
  watchedImages,
  withImage,
  type CheckedImage,
  type ImageUpdate,
  type RefusedImage,
  type TriedImage,
  type WatchedImage,
} from '../domain/image-update.ts';
import type { Log } from '../domain/log.ts';
import { isShortOfMemory, whyClosed } from '../domain/placement.ts';
import { templateVersion, versionsOf, type Catalogue } from '../domain/template.ts';
import { VISIT_EVENT_VERSION, type ImageEntry } from '../domain/visit-event.ts';
import { removed } from './checkpoint-command.ts';
import { keepPromoted } from './checkpoints.ts';
import type { ImagePins } from './interfaces/image-pins.ts';
import type { ImageUpdateChanges, ImageUpdates } from './interfaces/image-updates.ts';
import type { NodeRegistry } from './interfaces/node-registry.ts';
import type { Observer } from './interfaces/observer.ts';
import type { Turn } from './interfaces/turn.ts';
import { markOf, removeLeftovers, removeTrial } from './image-leftovers.ts';
import { inTurn } from './in-turn.ts';
import { nextImageCheckMs } from './next-image-check.ts';
import { tryImage, type ImageVerdict, type TryImageDeps } from './try-image.ts';
import { UntriedImages } from './untried-images.ts';

export interface ImageUpdaterDeps {
  readonly catalogue: Pick<Catalogue, 'all'>;
  readonly pins: Pick<ImagePins, 'of'>;
  readonly updates: ImageUpdates;
  /** One process tries an image at a time. */
  readonly turnOf: (task: string) => Turn;
  /** Whether names stand for what they do on this process's node; others try only what needs their labels. */
  readonly decides: () => Promise<boolean>;
  readonly trial: Omit<TryImageDeps, 'catalogue' | 'mark' | 'imageName'>;
  readonly registry: Pick<NodeRegistry, 'node'>;
  readonly node: { readonly name: string; readonly labels: readonly string[] };
  readonly requestReconcile: () => void;
  readonly observer: Pick<Observer, 'imageTried'>;
  readonly clock: Clock;
  readonly steadyClock: SteadyClock;
  readonly log: Log;
}

/** Of a process that is killed: so late another one goes on. */
const TURN = { turnMs: 15_000, againMs: 4_000 };
/** A tag that moved on this host, by a pull or a build there, is noticed so late. */
const LOOK_MS = 10_000;
/** One failure may be the host's, as of a port that was taken just then. */
const TRIES = 2;
const REASON_LENGTH = 1_000;
const NONE = 'none';

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

type Verdict =
  | { readonly kind: 'sound'; readonly promoted: Readonly<Record<string, string>> }
  | { readonly kind: 'refused'; readonly reason: string };

/**
 * Looks for new images under the names of those that are tried first, and has them go to visitors when they pass. Goes
 * by what is recorded and what is there, so whoever takes the turn goes on where another process ended.
 */
export class ImageUpdater {
  readonly #deps: ImageUpdaterDeps;
  #startedMs: number;
  readonly #looked = new Map<string, number>();
  readonly #untried = new UntriedImages();
  #swept = false;

  constructor(deps: ImageUpdaterDeps) {
    this.#deps = deps;
    this.#startedMs = deps.clock.now();
  }

  /** Throws store_unavailable, engine_unavailable. */
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
  }

  /** Written down with what it tells of. */
  #event(kind: ImageEntry['kind'], image: string, { id, digest }: FoundImage, reason?: string): ImageEntry {
    const { clock, node } = this.#deps;
    const found = { image, id, ...(digest === undefined ? {} : { digest }), node: node.name };
    const data = { ...found, ...(reason === undefined ? {} : { reason }) };
    return { v: VISIT_EVENT_VERSION, kind, atMs: clock.now(), data };
  }

  /** Whether there is anything to be done that takes the image's turn. */
  async #isDue(
    image: WatchedImage,
    { asked, checked, tried, refused }: ImageUpdate,
    { pin, seen }: Pick<Work, 'pin' | 'seen'>,
  ): Promise<boolean> {
    const { name } = image;
    const isPutOff = this.#untried.isPutOff(name, asked?.atMs, this.#deps.steadyClock.passedMs());
    if ((asked !== undefined && !isPutOff) || this.#isToBeFetched(image, checked)) return true;
    if (performance.now() - (this.#looked.get(name) ?? -Infinity) < LOOK_MS) return false;
    this.#looked.set(name, performance.now());
    if (tried !== undefined || seen === undefined) return true;
    if (isPutOff) return false;
    const found = await this.#found(name);
    if (found === undefined) return false;
    const is = (known: Parameters<typeof isSameImage>[1] | undefined): boolean =>
      known !== undefined && isSameImage(found, known);
    // Its registry says when it answers again; of others this host does.
    if (checked?.problem !== undefined && is(pin)) return !isFetched(image);
    return found.id !== seen && !is(refused);
  }

  #isToBeFetched(image: WatchedImage, checked: CheckedImage | undefined): boolean {
    const nowMs = this.#deps.clock.now();
    // The clock may have been ahead as this process started.
    this.#startedMs = Math.min(this.#startedMs, nowMs);
    const next = nextImageCheckMs(image.checks, { lastMs: checked?.atMs, sinceMs: this.#startedMs, nowMs });
    return isFetched(image) && next !== undefined && next <= nowMs;
  }

  /** A node that begins nothing for visitors begins nothing for this. */
  async #mayTry({ deciding }: WatchedImage): Promise<boolean> {
    const { node, registry, decides } = this.#deps;
    const labels = new Set(deciding.flatMap((template) => template.nodes));
    if (![...labels].every((label) => node.labels.includes(label))) return false;
    if (labels.size === 0 && !(await decides())) return false;
    const known = await registry.node(node.name);
    if (known === undefined || whyClosed(known) !== undefined) return false;
    return known.heartbeat === undefined || !isShortOfMemory(known.heartbeat);
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
    const isFetching = isFetched(image) && (asked || this.#isToBeFetched(image, update.checked));
    const fetched = isFetching ? await this.#fetch(work) : undefined;
    if (fetched === false) return;
    const found = fetched === undefined ? before : await this.#found(image.name);
    if (found === undefined && asked) await this.#checkedInVain(work, 'this host has no image of that name');
    // Without a pin whatever is found becomes what visitors get.
    else if (pin === undefined && asked)
      await this.#note(work, NOT_HERE, { asked: undefined, checked: this.#checked() });
    if (found === undefined || pin === undefined) return;
    const known = { pin, seen: seen ?? before?.id ?? NONE, refused: update.refused, asked };
    if (isToBeTried(found, known)) await this.#try({ ...work, pin }, found);
    else if (isSameImage(found, pin)) await this.#upToDate(work, found, isFetching || !isFetched(image));
  }

  /** `certain`: the name leads there for everybody, and not only on a host that lags behind. */
  async #upToDate(work: Work, { id }: FoundImage, certain: boolean): Promise<void> {
    const { seen, update } = work;
    const changes = {
      ...(update.asked === undefined ? {} : { asked: undefined }),
      // What was refused is not under the name any more.
      ...(certain && update.refused !== undefined ? { refused: undefined } : {}),
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
      const verdict = await this.#verdict(work, found);
      await this.#requireUnchanged(image, verdict);
      this.#untried.settled(name);
      if (verdict.kind === 'refused') await this.#refuse(work, found, verdict.reason);
      else await this.#adopt(work, found, verdict.promoted);
    } catch (error) {
      if (work.signal.aborted || isStoreGone(error)) throw error;
      const times = this.#untried.add(name, update.asked?.atMs, steadyClock.passedMs());
      const reason = describeError(error).slice(0, REASON_LENGTH);
      observer.imageTried('untried');
      log.warn({ image: name, id, reason, times }, 'A new image could not be tried; the one before stays meanwhile');
      const problem = { reason, sinceMs: update.checked?.problem?.sinceMs ?? clock.now(), untried: true as const };
      // What somebody asked for is still to be done.
      await this.#note(work, NOT_HERE, { tried: undefined, checked: this.#checked(problem) });
    }
  }

  /** A trial takes its time, and what was found with a template of before says nothing of the one there is. */
  async #requireUnchanged(image: WatchedImage, verdict: Verdict): Promise<void> {
    const now = watchedImages(this.#deps.catalogue.all()).find(({ name }) => name === image.name);
    if (isDeepStrictEqual(image.deciding, now?.deciding)) return;
    if (verdict.kind === 'sound') await this.#discard(verdict.promoted);
    throw new Error('a template that has it was changed while it was tried; it is tried again with those there are');
  }

  /** Of all templates that have a container of it, but previews. */
  async #verdict(work: Work, found: FoundImage): Promise<Verdict> {
    const { image } = work;
    const onStep = this.#steps(work, found);
    const promoted: Record<string, string> = {};
    for (const { name } of image.deciding) {
      const verdict = await this.#ofTemplate(work, name, found, (step) => onStep(`${name}: ${step}`)).catch(
        async (error: unknown) => {
          await this.#discard(promoted);
          throw error;
        },
      );
      if (verdict.kind === 'refused') {
        await this.#discard(promoted);
        return { kind: 'refused', reason: `Template ${name}: ${verdict.reason}`.slice(0, REASON_LENGTH) };
      }
      if (verdict.promotable !== undefined) promoted[name] = verdict.promotable;
    }
    return { kind: 'sound', promoted };
  }

  async #ofTemplate(
    { image, signal }: Work,
    name: string,
    found: FoundImage,
    onStep: (step: string) => void,
  ): Promise<ImageVerdict> {
    const { trial } = this.#deps;
    const template = image.deciding.find((each) => each.name === name);
    if (template === undefined) throw new Error(`${name} was a template of ${image.name} just now`);
    const swapped = withImage(template, image.name, found.id);
    const deps: TryImageDeps = {
      ...trial,
      mark: markOf(image.name),
      imageName: image.name,
      catalogue: {
        all: () => [swapped],
        get: (wanted) => (wanted === name ? swapped : undefined),
        // Which image stands in for its name is no matter of the template's.
        version: (wanted) => (wanted === name ? templateVersion(template) : undefined),
        versionsOf: (wanted) => (wanted === name ? versionsOf(template) : undefined),
      },
    };
    for (let attempt = 1; ; attempt += 1) {
      const verdict = await tryImage(deps, swapped, onStep, signal);
      if (verdict.kind === 'sound' || attempt === TRIES) return verdict;
      onStep(`once more, since it failed: ${verdict.reason}`);
    }
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
    const changes = { refused, tried: undefined, asked: undefined, checked: this.#checked() };
    const event = this.#event('image_refused', name, found, reason);
    if (!(await this.#note(work, { id, when: 'always' }, changes, event))) return;
    observer.imageTried('refused');
    log.error(
      { image: name, id, digest, reason, stays: work.pin.id },
      'A new image is refused and reaches nobody; the one before stays. When that is fixed under the same digest: ' +
        '`try-it-now images check`',
    );
  }

  async #adopt(work: Trial, found: FoundImage, promoted: Readonly<Record<string, string>>): Promise<void> {
    const { id, digest } = found;
    const { trial, updates, node, clock, log, observer, requestReconcile } = this.#deps;
    const { image, pin, turn } = work;
    const { name } = image;
    const to: ImagePin = { v: IMAGE_PIN_VERSION, id, ...(digest === undefined ? {} : { digest }), node: node.name };
    const former = { v: IMAGE_UPDATE_VERSION, pin, untilMs: clock.now(), promoted } as const;
    await work.steps.told;
    const move = { name, from: pin, to, former, refused: undefined };
    if (!(await updates.adopt(turn.fence, move, this.#event('image_adopted', name, found)))) {
      await this.#discard(promoted);
      log.info(
        { image: name, id },
        'A new image passed its trial too late: it was held, or another one came before it',
      );
      return;
    }
    for (const made of Object.values(promoted)) await keepPromoted(trial, made);
    if (work.update.checked?.problem !== undefined)
      await this.#note(work, { id, when: 'always' }, { checked: this.#checked() });
    observer.imageTried('adopted');
    log.info(
      { image: name, id, digest, before: pin.id, checkpoints: Object.values(promoted) },
      'A new image has passed its trial; what is ready is replaced step by step',
    );
    requestReconcile();
  }

  /** Checkpoints that are nobody's then. */
  async #discard(promoted: Readonly<Record<string, string>>): Promise<void> {
    const { trial } = this.#deps;
    for (const id of Object.values(promoted)) await removed(trial, () => trial.checkpointRepository.remove(id));
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

  async #note(work: Work, ...what: readonly [Here, ImageUpdateChanges, ImageEntry?]): Promise<boolean> {
    await work.steps.told;
    return this.#write(work, ...what);
  }

  #write({ image, turn }: Work, ...what: readonly [Here, ImageUpdateChanges, ImageEntry?]): Promise<boolean> {
    return this.#deps.updates.note(turn.fence, image.name, ...what);
  }

  async #found(name: string): Promise<FoundImage | undefined> {
    return (await this.#deps.trial.runtime.foundImages?.([name]))?.[0];
  }
}

function isStoreGone(error: unknown): boolean {
  return error instanceof TryItNowError && error.code === 'store_unavailable';
}
