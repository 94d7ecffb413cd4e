import Type, { type Static } from 'typebox';
import { isAllowedImage } from './preview-rules.ts';
import type { Template } from './template.ts';

/** Raised when the stored shape changes; one of another version is skipped. */
const PREVIEW_VERSION = 1;

/** A copy of a template with another image, until it ends. */
export const Preview = Type.Object({
  v: Type.Literal(PREVIEW_VERSION),
  name: Type.String(),
  /** The template that it is a copy of. */
  from: Type.String(),
  image: Type.String(),
  title: Type.Optional(Type.String()),
  /** Other images that it had before, without those from long ago. */
  former: Type.Optional(Type.Array(Type.String())),
  /** Who put it last, as the audit log names them; not known of one from before that was kept. */
  by: Type.Optional(Type.String()),
  createdAtMs: Type.Integer({ minimum: 0 }),
  /** When this image was put. */
  putAtMs: Type.Integer({ minimum: 0 }),
  /** When its time is over, or somebody removed it. It is recorded until nothing is left of it. */
  endsAtMs: Type.Integer({ minimum: 0 }),
});
export type Preview = Static<typeof Preview>;

export interface OfferedPreviews {
  /** Those that have ended, or are not offered, are among them as ended. */
  readonly templates: readonly Template[];
  /** By name, why one is not offered. */
  readonly problems: ReadonlyMap<string, string>;
}

/** `templates`: those of the file, which win where one has a preview's name. */
export function offeredPreviews(templates: readonly Template[], previews: readonly Preview[]): OfferedPreviews {
  const byName = new Map(templates.map((template) => [template.name, template]));
  const found: Template[] = [];
  const problems = new Map<string, string>();
  for (const preview of previews) {
    const source = byName.get(preview.from);
    const problem = byName.has(preview.name)
      ? `the file has a template named ${preview.name}, which is offered in its place`
      : problemWith(preview, source);
    if (problem !== undefined) problems.set(preview.name, problem);
    // Whoever visits one that is not offered any more goes on.
    if (source !== undefined && !byName.has(preview.name))
      found.push(copyOf(source, problem === undefined ? preview : { ...preview, endsAtMs: 0 }));
  }
  return { templates: found, problems };
}

function problemWith({ from, image }: Preview, source: Template | undefined): string | undefined {
  if (source === undefined) return `the file has no template named ${from} any more`;
  if (source.previews === undefined) return `the template ${from} does not let previews be made any more`;
  return isAllowedImage(image, source.previews.images)
    ? undefined
    : `the template ${from} does not let previews have the image ${image} any more`;
}

/**
 * Started cold: a checkpoint is of one image. What another image comes to be tried first for does not apply: who puts
 * the next one says so.
 */
function copyOf(source: Template, { name, image, title, endsAtMs }: Preview): Template {
  const { target, max } = source.previews?.pool ?? source.pool;
  return {
    ...source,
    name,
    title: title ?? `${source.title} (${name})`,
    image,
    imageCheck: undefined,
    smoke: [],
    checkpoint: { ...source.checkpoint, enabled: false, file: undefined },
    pool: { target, max, replenishThreshold: 0, autosize: undefined },
    endsAtMs: Math.min(endsAtMs, source.endsAtMs ?? Infinity),
    previews: undefined,
    previewOf: source.name,
  };
}
