import type { Clock } from '../domain/clock.ts';
import { templateVersionOf } from '../domain/checkpoint.ts';
import { TryItNowError } from '../domain/errors.ts';
import { offeredPreviews, type Preview } from '../domain/preview.ts';
import { isAllowedImage } from '../domain/preview-rules.ts';
import { hasEnded, templateVersion, type Catalogue, type Template } from '../domain/template.ts';
import type { FailureLog } from './interfaces/failure-log.ts';
import type { Inventory } from './interfaces/inventory.ts';
import type { NodeRegistry } from './interfaces/node-registry.ts';
import type { PreviewPut, Previews } from './interfaces/previews.ts';
import { knownTemplate } from './known-template.ts';
import type { TemplateReload } from './reload-templates.ts';

export interface ListPreviewsDeps {
  readonly catalogue: Catalogue;
  readonly previews: Pick<Previews, 'list'>;
  readonly inventory: Pick<Inventory, 'readyOrAssigned'>;
  readonly failureLog: Pick<FailureLog, 'recent'>;
  readonly registry: Pick<NodeRegistry, 'nodes'>;
  readonly clock: Clock;
}

export interface OperatePreviewsDeps extends ListPreviewsDeps {
  readonly previews: Previews;
  readonly reload: Pick<TemplateReload, 'refresh'>;
}

/**
 * Per one that may be offered: those that have ended are recorded until nobody visits them, and whoever puts and
 * removes ever others must not fill the store, nor hosts, by that.
 */
const RECORDED_PER_OFFERED = 2;

/**
 * `starting`: no instance of this image has come up so far. `failing`: nor will one, as far as is known. `ended`:
 * nobody gets one any more, and it is forgotten once those who visit one have gone. `refused`: not offered before its
 * end, since the file has changed.
 */
export const PREVIEW_STATES = ['starting', 'ready', 'failing', 'refused', 'ended'] as const;

export interface PreviewSnapshot extends Preview {
  readonly title: string;
  readonly state: (typeof PREVIEW_STATES)[number];
  /** Why it is failing or refused. */
  readonly why: string | undefined;
  /** Instances of its image, and those who visit any of it. */
  readonly ready: number;
  readonly visitors: number;
}

export interface WantedCopy {
  readonly from: string;
  readonly image: string;
  readonly title: string | undefined;
  /** At a time, or after so long; neither: as late as may be (ms). */
  readonly endsAtMs: number | undefined;
  readonly forMs: number | undefined;
  /** Who wants it, as the audit log names them. */
  readonly by: string;
}

/** Sorted by name; `of`: those of this template alone. Throws store_unavailable. */
export async function listPreviews(deps: ListPreviewsDeps, of?: string): Promise<readonly PreviewSnapshot[]> {
  const all = await deps.previews.list();
  return snapshots(
    deps,
    all.flatMap(({ preview }) => (of === undefined || preview.from === of ? [preview] : [])),
  );
}

/** `of`: one of this template. Throws unknown_preview, store_unavailable. */
export async function showPreview(deps: ListPreviewsDeps, name: string, of?: string): Promise<PreviewSnapshot> {
  const stored = (await deps.previews.list()).map(({ preview }) => preview);
  const wanted = stored.filter((preview) => preview.name === name && (of === undefined || preview.from === of));
  const [found] = await snapshots(deps, wanted);
  if (found === undefined) throw unknownPreview(name);
  return found;
}

/**
 * Has a copy of a template offered, in place of an earlier one of this name and template. Throws unknown_template,
 * preview_not_allowed, preview_name_taken, preview_limit, invalid_request, store_unavailable.
 */
export async function putPreview(
  deps: OperatePreviewsDeps,
  name: string,
  wanted: WantedCopy,
): Promise<PreviewSnapshot> {
  const { catalogue, previews, clock, reload } = deps;
  const { from, image, title, by } = wanted;
  const source = knownTemplate(deps, from);
  const { previews: rules } = source;
  if (rules === undefined) throw new TryItNowError('preview_not_allowed', notLet(source));
  if (!isAllowedImage(image, rules.images))
    throw new TryItNowError(
      'preview_not_allowed',
      `The template ${from} does not let a preview have the image ${image}; it has to be as one of ` +
        rules.images.join(', '),
      { details: { allowed: rules.images } },
    );
  const named = catalogue.get(name) ?? catalogue.ended(name);
  if (named !== undefined && named.previewOf === undefined)
    throw new TryItNowError('preview_name_taken', `The file has a template named ${name}`);
  const endsAtMs = endOf(source, wanted, { nowMs: clock.now(), maxAgeMs: rules.maxAgeMs });
  const recorded = RECORDED_PER_OFFERED * rules.max;
  const put = await previews.put(
    { name, from, image, title, endsAtMs, by },
    { offered: rules.max, recorded, nowMs: clock.now() },
  );
  if ('refused' in put) throw notPut(put, { name, from, offered: rules.max, recorded });
  await reload.refresh();
  return showPreview(deps, name);
}

/** `of`: one of this template. Nobody gets one any more; visits go on. Throws unknown_preview, store_unavailable. */
export async function removePreview(deps: OperatePreviewsDeps, name: string, of?: string): Promise<void> {
  if ((await deps.previews.end(name, deps.clock.now(), of)) === undefined) throw unknownPreview(name);
  await deps.reload.refresh();
}

function notPut(
  put: Exclude<PreviewPut, { readonly preview: Preview }>,
  { name, from, offered, recorded }: Readonly<Record<'name' | 'from', string> & Record<'offered' | 'recorded', number>>,
): TryItNowError {
  if (put.refused === 'name_taken')
    return new TryItNowError('preview_name_taken', `The preview ${name} is a copy of the template ${put.of}`);
  const { count } = put;
  return put.refused === 'offered'
    ? new TryItNowError(
        'preview_limit',
        `${count} previews of the template ${from} are offered, and no more than ${offered} may be at once`,
        { details: { offered: count, max: offered } },
      )
    : new TryItNowError(
        'preview_limit',
        `${count} previews of the template ${from} are there, with those that have ended and that somebody still ` +
          `visits; no more than ${recorded} may be, which is twice \`previews.max\``,
        { details: { recorded: count, max: recorded } },
      );
}

function notLet({ name, previewOf }: Template): string {
  return previewOf === undefined
    ? `The template ${name} has no \`previews\`, and so lets nobody make any of it`
    : `${name} is itself a preview; make one of the template ${previewOf}`;
}

function endOf(
  source: Template,
  { endsAtMs, forMs }: WantedCopy,
  { nowMs, maxAgeMs }: { readonly nowMs: number; readonly maxAgeMs: number },
): number {
  const latest = Math.min(nowMs + maxAgeMs, source.endsAtMs ?? Infinity);
  if (endsAtMs !== undefined && forMs !== undefined)
    throw wrongEnd('/ends_at', 'must be left out where for_seconds is given');
  const wanted = endsAtMs ?? (forMs === undefined ? latest : nowMs + forMs);
  const pointer = endsAtMs === undefined ? '/for_seconds' : '/ends_at';
  if (wanted <= nowMs) throw wrongEnd(pointer, 'must be in the future');
  if (wanted > latest)
    throw wrongEnd(
      pointer,
      `must not be after ${new Date(latest).toISOString()}, since the template ${source.name} lets previews last ` +
        'until then',
    );
  return wanted;
}

function wrongEnd(pointer: string, message: string): TryItNowError {
  return new TryItNowError('invalid_request', `The end of the preview ${message}`, {
    details: { errors: [{ pointer, message }] },
  });
}

function unknownPreview(name: string): TryItNowError {
  return new TryItNowError(
    'unknown_preview',
    `There is no preview named ${JSON.stringify(name.slice(0, 64))}; \`try-it-now previews list\` shows those there ` +
      'are',
  );
}

async function snapshots(deps: ListPreviewsDeps, previews: readonly Preview[]): Promise<readonly PreviewSnapshot[]> {
  if (previews.length === 0) return [];
  const { catalogue, clock, inventory } = deps;
  const ofFile = catalogue.all().filter(({ previewOf }) => previewOf === undefined);
  const { templates, problems } = offeredPreviews(ofFile, previews);
  const records = await inventory.readyOrAssigned(previews.map(({ name }) => name));
  return Promise.all(
    previews.map(async (preview): Promise<PreviewSnapshot> => {
      const { name } = preview;
      const template = templates.find((each) => each.name === name);
      const version = template === undefined ? undefined : templateVersion(template);
      const own = records.filter((record) => record.template === name);
      const current = own.filter((record) => templateVersionOf(record.templateVersion) === version);
      const count = (from: typeof own, state: string): number => from.filter((each) => each.state === state).length;
      const counts = { ready: count(current, 'ready'), visitors: count(own, 'assigned') };
      const common = { ...preview, title: template?.title ?? preview.title ?? name, ...counts, why: undefined };
      if (hasEnded(preview, clock.now())) return { ...common, state: 'ended' };
      const refused = problems.get(name);
      if (refused !== undefined) return { ...common, state: 'refused', why: refused };
      if (counts.ready + count(current, 'assigned') > 0) return { ...common, state: 'ready' };
      const why = await whyNotReady(deps, preview);
      return { ...common, state: why === undefined ? 'starting' : 'failing', why };
    }),
  );
}

/** Undefined: it is on its way, as far as is known. */
async function whyNotReady(
  { failureLog, registry }: ListPreviewsDeps,
  { name, putAtMs }: Preview,
): Promise<string | undefined> {
  const [newest] = await failureLog.recent(name);
  if (newest !== undefined && newest.atMs >= putAtMs)
    return newest.remedy === '' ? newest.reason : `${newest.reason}. ${newest.remedy}`;
  const obstacles = (await registry.nodes()).flatMap(({ heartbeat }) => heartbeat?.templates[name] ?? []);
  // A node that is free to make it will, and one that has not been told of it yet will be.
  return obstacles.length === 0 || obstacles.includes('') ? undefined : obstacles[0];
}
