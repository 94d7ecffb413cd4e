import { isSameImage, type ImageUpdate, type PassedImage, type WatchedImage } from './image-update.ts';
import type { Catalogue, Template } from './template.ts';

/** One of those that have passed in part, if it is neither what visitors get nor refused by now. */
export function passedSoFar(
  { passed, refused }: Pick<ImageUpdate, 'passed' | 'refused'>,
  pin: { readonly id: string; readonly digest?: string | undefined } | undefined,
): PassedImage | undefined {
  if (passed === undefined || pin === undefined || isSameImage(passed, pin)) return undefined;
  return refused !== undefined && isSameImage(passed, refused) ? undefined : passed;
}

/** Those of its templates that it has not passed with as they are now. */
export function untriedOf(
  { deciding }: Pick<WatchedImage, 'deciding'>,
  passed: Pick<PassedImage, 'templates'> | undefined,
  catalogue: Pick<Catalogue, 'version'>,
): readonly Template[] {
  return deciding.filter(({ name }) => {
    const version = passed?.templates[name]?.version;
    return version === undefined || version !== catalogue.version(name);
  });
}

/**
 * Those that a host may have containers of, and so tries; undefined: it tries none. Where none asks for labels, only a
 * host does that decides what names stand for.
 */
export async function triedHere(
  { deciding }: Pick<WatchedImage, 'deciding'>,
  labels: readonly string[],
  decides: () => Promise<boolean>,
): Promise<readonly Template[] | undefined> {
  const fitting = deciding.filter(({ nodes }) => nodes.every((label) => labels.includes(label)));
  if (fitting.some(({ nodes }) => nodes.length > 0)) return fitting;
  return (fitting.length > 0 || deciding.length === 0) && (await decides()) ? fitting : undefined;
}
