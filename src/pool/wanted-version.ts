import { instanceVersion } from '../domain/checkpoint.ts';
import { isRestorable } from '../domain/restorable.ts';
import type { Catalogue, Template } from '../domain/template.ts';
import type { ContainerRuntime } from './interfaces/container-runtime.ts';
import type { Promotions } from './interfaces/promotions.ts';

export interface WantedVersion {
  /** What an instance made now gets. */
  readonly version: string;
  /** What it is to be restored from, here or on any other node. */
  readonly checkpoint: string | undefined;
}

/**
 * The version that idle instances of each template should have, the same on every node but for the image: whether this
 * one can restore does not matter, or nodes of different engines would go on replacing each other's idle instances.
 */
export async function wantedVersions(
  deps: {
    readonly catalogue: Catalogue;
    readonly promotions: Promotions;
    readonly runtime: Pick<ContainerRuntime, 'imageVersion'>;
  },
  templates: readonly Template[],
): Promise<ReadonlyMap<string, WantedVersion>> {
  const { catalogue, promotions } = deps;
  const restorable = templates.filter(isRestorable).map(({ name }) => name);
  const current = restorable.length === 0 ? new Map<string, string>() : await promotions.current(restorable);
  return new Map(
    templates.map((template) => {
      const { name } = template;
      const checkpoint = current.get(name);
      const image = deps.runtime.imageVersion?.(template);
      return [name, { version: instanceVersion(catalogue.version(name) ?? '', checkpoint, image), checkpoint }];
    }),
  );
}
