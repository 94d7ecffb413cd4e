/** What a template lets others make copies of it of, without a change of its file. Durations in ms. */
export interface PreviewRules {
  /** Names of images; `*` stands for any characters of one part of a name. */
  readonly images: readonly string[];
  /** So many may be offered at once. */
  readonly max: number;
  /** From when it was put last. */
  readonly maxAgeMs: number;
  /** Of each. */
  readonly pool: { readonly target: number; readonly max: number };
}

/** `a*b` has no `*` that would reach into another part of a name: a tag never becomes a repository. */
export function isAllowedImage(image: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => {
    const parts = pattern.split('*').map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'));
    return new RegExp(`^${parts.join('[A-Za-z0-9._-]*')}$`).test(image);
  });
}

/** How many instances there may be of a template and its previews. */
export function mostInstances(template: {
  readonly pool: { readonly max: number };
  readonly previews?: PreviewRules | undefined;
}): number {
  const { pool, previews } = template;
  return pool.max + (previews === undefined ? 0 : previews.max * previews.pool.max);
}
