import type { Redis as Valkey } from 'iovalkey';
import { Compile } from 'typebox/compile';
import type { Log } from '../domain/log.ts';
import { Preview } from '../domain/preview.ts';
import type { PreviewLimits, PreviewPut, Previews, StoredPreview, WantedPreview } from '../pool/interfaces/previews.ts';
import { storeError } from './client.ts';
import { keys } from './keys.ts';
import { PUT_PREVIEW } from './script-codes.ts';
import type { Scripts } from './scripts.ts';
import { parseVersioned } from './versioned.ts';

/** Of images that it had: names by digest and tags of builds come and go. */
const FORMER_KEPT = 50;
const validator = Compile(Preview);

/** A hash of all of them, which is read as a whole: of each template there are no more than it lets be recorded. */
export class ValkeyPreviews implements Previews {
  readonly #client: Valkey;
  readonly #scripts: Scripts;
  readonly #log: Log;

  constructor(client: Valkey, scripts: Scripts, log: Log) {
    this.#client = client;
    this.#scripts = scripts;
    this.#log = log;
  }

  async list(): Promise<readonly StoredPreview[]> {
    let all;
    try {
      all = await this.#client.hgetall(keys.previews);
    } catch (error) {
      throw storeError(error);
    }
    return Object.entries(all)
      .flatMap(([name, text]) => {
        const preview = read(text);
        if (preview?.name === name) return [{ preview, text }];
        this.#log.debug({ name, text: text.slice(0, 200) }, 'Skipped a preview that cannot be read');
        return [];
      })
      .sort((a, b) => (a.preview.name < b.preview.name ? -1 : 1));
  }

  async put(
    { name, from, image, title, endsAtMs, by }: WantedPreview,
    { offered, recorded, nowMs }: PreviewLimits,
  ): Promise<PreviewPut> {
    const [outcome, answer] = (await this.#scripts.run(
      'put-preview',
      [keys.previews],
      [name, from, image, title ?? '', nowMs, endsAtMs, by, FORMER_KEPT, offered, recorded],
    )) as [number, string | number];
    if (outcome === PUT_PREVIEW.NAME_TAKEN) return { refused: 'name_taken', of: String(answer) };
    if (outcome === PUT_PREVIEW.OFFERED_LIMIT) return { refused: 'offered', count: Number(answer) };
    if (outcome === PUT_PREVIEW.RECORDED_LIMIT) return { refused: 'recorded', count: Number(answer) };
    const preview = read(String(answer));
    if (preview === undefined) throw new Error('a preview that was just stored cannot be read');
    return { preview };
  }

  async end(name: string, nowMs: number, of = ''): Promise<Preview | undefined> {
    return read(String(await this.#scripts.run('end-preview', [keys.previews], [name, nowMs, of])));
  }

  async forget({ preview: { name }, text }: StoredPreview, keepFor?: 'template'): Promise<boolean> {
    const reply = await this.#scripts.run(
      'forget-preview',
      [
        keys.previews,
        keys.templates,
        keys.ready(name),
        keys.warming(name),
        keys.assigned(name),
        keys.leaving(name),
        ...keptFor(name),
      ],
      [name, text, keepFor === undefined ? 1 : 0],
    );
    return reply === 1;
  }

  async forgetImages(images: readonly string[], nodes: readonly string[]): Promise<void> {
    if (images.length === 0) return;
    try {
      const all = this.#client.multi();
      for (const node of nodes) all.hdel(keys.imageSeen(node), ...images);
      await all
        .hdel(keys.imagePins, ...images)
        .zrem(keys.imagePinsUsed, ...images)
        .exec();
    } catch (error) {
      throw storeError(error);
    }
  }
}

/** Besides its instances. What is of a moment, or of an hour, ends by itself. */
function keptFor(name: string): string[] {
  return [
    keys.refillPause(name),
    keys.waiting(name),
    keys.waitingLeases(name),
    keys.waitingClients(name),
    keys.refills(name),
    keys.failures(name),
    keys.unready(name),
    keys.poolControl(name),
    keys.poolSize(name),
    keys.poolEvents(name),
    keys.poolHistory(name),
    keys.checkpoints(name),
    keys.restores(name),
  ];
}

function read(text: string): Preview | undefined {
  const value: unknown = parseVersioned(text);
  return validator.Check(value) ? value : undefined;
}
