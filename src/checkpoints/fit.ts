import type { CheckpointHost, CheckpointMetadata } from '../domain/checkpoint.ts';
import { TryItNowError } from '../domain/errors.ts';

export interface Fit {
  readonly template: string;
  readonly templateVersion: string;
  readonly host: CheckpointHost;
}

/**
 * Throws checkpoint_unfit that names everything that differs. Versions of CRIU and engine may: they
 * read what older ones wrote.
 */
export function requireFit({ id, template, templateVersion, host }: CheckpointMetadata, fit: Fit): void {
  const compared: readonly (readonly [what: string, made: string, here: string])[] = [
    ['template', template, fit.template],
    // Versions of different templates are not comparable; naming them would only distract.
    ['version of the template', templateVersion, template === fit.template ? fit.templateVersion : templateVersion],
    ['image', host.imageId, template === fit.template ? fit.host.imageId : host.imageId],
    ['kernel', host.kernel, fit.host.kernel],
    ['architecture', host.arch, fit.host.arch],
    ['engine', host.engine, fit.host.engine],
  ];
  const differences = compared
    .filter(([, made, here]) => made !== here)
    .map(([what, made, here]) => `${what} ${made} (here ${here})`);
  if (differences.length === 0) return;
  throw new TryItNowError(
    'checkpoint_unfit',
    `Checkpoint ${id} was made for ${differences.join(', ')}; create one here: try-it-now checkpoint create ` +
      fit.template,
  );
}
