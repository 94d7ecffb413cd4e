import type { CheckpointHost, CheckpointMetadata } from './checkpoint.ts';
import { TryItNowError } from './errors.ts';
import { earlierVersions, settingsVersion, type Template } from './template.ts';

export interface Fit {
  readonly template: string;
  readonly templateVersion: string;
  readonly host: CheckpointHost;
}

interface Difference {
  readonly what: string;
  readonly made: string;
  readonly here: string;
}

const VERSION = 'version of the template';
/** What may differ although all that operators decide is alike. */
const OF_THE_HOST: ReadonlySet<string> = new Set(['kernel', 'architecture']);

/** Versions of CRIU and engine may differ: they read what older ones wrote. */
export function differences({ template, templateVersion, host }: CheckpointMetadata, fit: Fit): readonly Difference[] {
  const same = template === fit.template;
  return [
    { what: 'template', made: template, here: fit.template },
    // Versions of different templates are not comparable; naming them would only distract.
    { what: VERSION, made: templateVersion, here: same ? fit.templateVersion : templateVersion },
    { what: 'image', made: host.imageId, here: same ? fit.host.imageId : host.imageId },
    { what: 'kernel', made: host.kernel, here: fit.host.kernel },
    { what: 'architecture', made: host.arch, here: fit.host.arch },
    { what: 'engine', made: host.engine, here: fit.host.engine },
  ].filter(({ made, here }) => made !== here);
}

/** What this node has made in the place of a promoted checkpoint, and fits. */
export function standIn(
  stored: readonly { readonly metadata?: CheckpointMetadata | undefined; readonly problem?: string | undefined }[],
  promoted: string,
  fit: Fit,
): CheckpointMetadata | undefined {
  return stored.find(
    ({ metadata, problem }) =>
      problem === undefined && metadata?.standsFor === promoted && differences(metadata, fit).length === 0,
  )?.metadata;
}

/** As a person reads them. */
export function describeDifferences(found: readonly Difference[]): string {
  return found.map(({ what, made, here }) => `${what} ${made} (here ${here})`).join(', ');
}

/** Whether a checkpoint made here would do in its place: an operator has decided nothing of what differs. */
export function areOfTheHost(found: readonly Difference[], metadata: CheckpointMetadata, template: Template): boolean {
  return found.every(({ what }) => OF_THE_HOST.has(what) || (what === VERSION && isOfOtherProgram(metadata, template)));
}

/** Whether the same template made it, in another version of the program. */
export function isOfOtherProgram(metadata: CheckpointMetadata, template: Template): boolean {
  return metadata.settingsVersion === undefined
    ? earlierVersions(template).includes(metadata.templateVersion)
    : metadata.settingsVersion === settingsVersion(template);
}

/** Throws checkpoint_unfit that names everything that differs. */
export function requireFit(metadata: CheckpointMetadata, fit: Fit): void {
  const found = differences(metadata, fit);
  if (found.length === 0) return;
  throw new TryItNowError(
    'checkpoint_unfit',
    `Checkpoint ${metadata.id} was made for ${describeDifferences(found)}; create one here: ` +
      `try-it-now checkpoint create ${fit.template} --promote`,
  );
}
