import type { Clock } from '../domain/clock.ts';
import { digestIn, hasDigest, repositoryOf, withTag } from '../domain/image-pin.ts';
import type { Log } from '../domain/log.ts';
import { containerTemplates, type Catalogue } from '../domain/template.ts';
import type { ImagePins } from './interfaces/image-pins.ts';
import type { ImageStorage, StoredImage } from './interfaces/image-storage.ts';
import type { ImageUpdates } from './interfaces/image-updates.ts';
import type { Previews } from './interfaces/previews.ts';
import type { PulledImages } from './interfaces/pulled-images.ts';

export interface UnusedImagesDeps {
  readonly catalogue: Pick<Catalogue, 'all'>;
  readonly pins: Pick<ImagePins, 'of' | 'usedWithin'>;
  readonly updates: Pick<ImageUpdates, 'read'>;
  readonly previews: Pick<Previews, 'list'>;
  readonly pulled: PulledImages;
  readonly storage: ImageStorage;
  readonly clock: Clock;
  readonly log: Log;
}

/** A pull that nobody ended for so long was its process's, which was killed. */
const PULL_OVER_MS = 3_600_000;
/** A template that is off the catalogue for less than this, as by a mistake, comes back without a fetch. */
const OFF_CATALOGUE_MS = 24 * 3_600_000;

type Known = { readonly id?: string; readonly digest?: string | undefined } | undefined;

/**
 * Removes images that this deployment has fetched on this node and nobody needs any more: neither what a name stands
 * for, nor what it stood for before, nor what is tried or refused, nor what any container was made of. Never one that
 * somebody else brought, or gave a name of their own. Throws engine_unavailable, store_unavailable.
 */
export async function removeUnusedImages(deps: UnusedImagesDeps): Promise<void> {
  const { pulled, storage, log } = deps;
  const before = await pulled.read();
  if (before.images.length + before.pulls.length === 0) return;
  const stored = await storage.list();
  await settlePulls(deps, before.pulls, stored);
  const { names, known } = await needed(deps);
  for (const image of before.images) {
    const { id } = image;
    const there = stored.find((each) => each.id === id);
    if (there === undefined) {
      await pulled.forget(image);
      continue;
    }
    if (there.used || isSomebodyElses(there, image.names) || there.names.some((each) => names.has(withTag(each))))
      continue;
    if (known.some((each) => isOf(there, each))) continue;
    if (!(await storage.remove(there))) continue;
    await pulled.forget(image);
    log.info({ image: image.names[0], id }, 'Removed an image that was fetched here and that nothing needs any more');
  }
}

/** By another name, be it one by a digest: those have the repository of the name that it was fetched under. */
function isSomebodyElses({ names, digests }: StoredImage, fetchedUnder: readonly string[]): boolean {
  const [ours, repositories] = [new Set(fetchedUnder.map(withTag)), new Set(fetchedUnder.map(repositoryOf))];
  return (
    names.some((each) => !ours.has(withTag(each))) || digests.some((each) => !repositories.has(repositoryOf(each)))
  );
}

/** Of processes that were killed: what is there now and was not before came by them. */
async function settlePulls(
  { pulled, clock }: UnusedImagesDeps,
  pulls: Awaited<ReturnType<PulledImages['read']>>['pulls'],
  stored: readonly StoredImage[],
): Promise<void> {
  for (const { reference } of pulls.filter((pull) => clock.now() - pull.atMs > PULL_OVER_MS)) {
    const found = stored.find((image) => leadsTo(reference, image));
    if (found === undefined) await pulled.giveUp(reference);
    else await pulled.end(reference, found.id);
  }
}

/** Names that templates go by, or did until lately, with their tags, and all that these stand for, or did. */
async function needed({
  catalogue,
  pins,
  updates,
  previews,
}: UnusedImagesDeps): Promise<{ readonly names: ReadonlySet<string>; readonly known: readonly Known[] }> {
  const offered = catalogue.all().flatMap((template) => containerTemplates(template).map(({ image }) => image));
  // Each push brings another, and none comes back: kept for a day, those of a busy day would fill the host.
  const replaced = new Set((await previews.list()).flatMap(({ preview }) => preview.former ?? []));
  const late = (await pins.usedWithin(OFF_CATALOGUE_MS)).filter((name) => !replaced.has(name));
  const names = [...new Set([...offered, ...late])];
  const [agreed, recorded] = await Promise.all([pins.of(names), updates.read(names)]);
  const tried = recorded.flatMap(({ tried: under }) => (under?.id === undefined ? [] : [{ ...under, id: under.id }]));
  const others = recorded.flatMap(({ former, refused }) => [former?.pin, refused]);
  const fixed = names.map((name) => ({ digest: digestIn(name) }));
  return { names: new Set(names.map(withTag)), known: [...fixed, ...agreed.values(), ...tried, ...others] };
}

function leadsTo(reference: string, stored: StoredImage): boolean {
  return stored.names.map(withTag).includes(withTag(reference)) || isOf(stored, { digest: digestIn(reference) });
}

function isOf({ id, digests }: StoredImage, known: Known): boolean {
  if (known === undefined) return false;
  const { digest } = known;
  return known.id === id || (digest !== undefined && hasDigest(digests, digest));
}
