import type { Redis as Valkey } from 'iovalkey';
import type { Static, TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import {
  AskedImage,
  CheckedImage,
  FormerImage,
  HeldImage,
  RefusedImage,
  TriedImage,
  type ImageUpdate,
} from '../domain/image-update.ts';
import type { ImageEntry } from '../domain/visit-event.ts';
import type { Fence, ImageMove, ImageUpdateChanges, ImageUpdates } from '../pool/interfaces/image-updates.ts';
import { storeError } from './client.ts';
import { keys } from './keys.ts';
import { CHECKPOINT_HISTORY } from './promotions.ts';
import { FLAG } from './script-codes.ts';
import type { Scripts } from './scripts.ts';
import { parseVersioned } from './versioned.ts';

/** After a server has last gone by the name: longer than a pin that nobody goes by any more. */
export const IMAGE_UPDATE_KEPT_MS = 60 * 24 * 3_600_000;

const parsers = {
  tried: parser(TriedImage),
  refused: parser(RefusedImage),
  former: parser(FormerImage),
  checked: parser(CheckedImage),
  held: parser(HeldImage),
  asked: parser(AskedImage),
};

export class ValkeyImageUpdates implements ImageUpdates {
  readonly #client: Valkey;
  readonly #scripts: Scripts;
  readonly #node: string;

  constructor(client: Valkey, scripts: Scripts, node: string) {
    this.#client = client;
    this.#scripts = scripts;
    this.#node = node;
  }

  async read(names: readonly string[]): Promise<readonly ImageUpdate[]> {
    const found = await this.#ask(() => Promise.all(names.map((name) => this.#client.hgetall(keys.imageUpdate(name)))));
    return found.map((texts) => ({
      tried: parsers.tried(texts['tried']),
      refused: parsers.refused(texts['refused']),
      former: parsers.former(texts['former']),
      checked: parsers.checked(texts['checked']),
      held: parsers.held(texts['held']),
      asked: parsers.asked(texts['asked']),
    }));
  }

  async seen(names: readonly string[]): Promise<ReadonlyMap<string, string>> {
    if (names.length === 0) return new Map();
    const ids = await this.#ask(() => this.#client.hmget(keys.imageSeen(this.#node), ...names));
    return new Map(
      names.flatMap((name, at): [string, string][] => {
        const id = ids[at];
        return typeof id === 'string' ? [[name, id]] : [];
      }),
    );
  }

  async note(
    { task, term }: Fence,
    name: string,
    here: { readonly id: string; readonly when: 'first' | 'always' },
    changes: ImageUpdateChanges,
    event?: ImageEntry,
  ): Promise<boolean> {
    const reply = await this.#scripts.run(
      'note-image-update',
      [keys.imageUpdate(name), keys.turnTerms, keys.imageSeen(this.#node), keys.eventOutbox, keys.eventSettings],
      [
        task,
        term,
        IMAGE_UPDATE_KEPT_MS,
        name,
        here.id,
        here.when,
        event === undefined ? '' : JSON.stringify(event),
        ...fieldsOf(changes).flat(),
      ],
    );
    return reply === FLAG.YES;
  }

  async adopt(fence: Fence, move: ImageMove, event: ImageEntry): Promise<boolean> {
    return this.#move(move, { fence, dropped: {}, seen: move.to.id, event });
  }

  async rollBack(move: ImageMove, dropped: FormerImage['promoted']): Promise<boolean> {
    return this.#move(move, { fence: { task: '', term: 0 }, dropped, seen: '', event: undefined });
  }

  async decide(name: string, changes: Pick<ImageUpdateChanges, 'held' | 'asked'>): Promise<void> {
    const key = keys.imageUpdate(name);
    await this.#ask(async () => {
      const transaction = this.#client.multi();
      for (const [field, text] of fieldsOf(changes))
        if (text === '') transaction.hdel(key, field);
        else transaction.hset(key, field, text);
      await transaction.pexpire(key, IMAGE_UPDATE_KEPT_MS).exec();
    });
  }

  async #move(
    { name, from, to, former, refused }: ImageMove,
    how: {
      readonly fence: Fence;
      readonly dropped: FormerImage['promoted'];
      readonly seen: string;
      readonly event: ImageEntry | undefined;
    },
  ): Promise<boolean> {
    const checkpoints = [
      ...Object.entries(how.dropped).map(([template, id]) => ({ template, id, what: 'drop' })),
      ...Object.entries(former.promoted).map(([template, id]) => ({ template, id, what: 'promote' })),
    ];
    const reply = await this.#scripts.run(
      'move-image-pin',
      [
        keys.imagePins,
        keys.imageUpdate(name),
        keys.turnTerms,
        keys.imageSeen(this.#node),
        keys.eventOutbox,
        keys.eventSettings,
        ...checkpoints.flatMap(({ template }) => [keys.checkpoints(template), keys.restores(template)]),
      ],
      [
        name,
        JSON.stringify(from),
        JSON.stringify(to),
        how.fence.task,
        how.fence.term,
        JSON.stringify(former),
        refused === undefined ? '' : JSON.stringify(refused),
        IMAGE_UPDATE_KEPT_MS,
        CHECKPOINT_HISTORY,
        how.seen,
        how.event === undefined ? '' : JSON.stringify(how.event),
        ...checkpoints.flatMap(({ template, id, what }) => [what, template, id]),
      ],
    );
    return reply === FLAG.YES;
  }

  async #ask<T>(question: () => Promise<T>): Promise<T> {
    try {
      return await question();
    } catch (error) {
      throw storeError(error);
    }
  }
}

/** As they are stored: an empty text for what is to go. */
function fieldsOf(changes: ImageUpdateChanges): readonly (readonly [string, string])[] {
  return Object.entries(changes).map(([field, value]) => [field, value === undefined ? '' : JSON.stringify(value)]);
}

function parser<T extends TSchema>(schema: T): (text: string | undefined) => Static<T> | undefined {
  const validator = Compile(schema);
  return (text) => {
    const value: unknown = text === undefined ? undefined : parseVersioned(text);
    return validator.Check(value) ? value : undefined;
  };
}
