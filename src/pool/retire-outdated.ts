import { templateVersionOf, versionWithoutImage } from '../domain/checkpoint.ts';
import type { Instance } from '../domain/instance.ts';
import type { Catalogue, Template } from '../domain/template.ts';
import type { ContainerRuntime } from './interfaces/container-runtime.ts';
import type { Inventory } from './interfaces/inventory.ts';
import type { ProcessRegistry } from './interfaces/process-registry.ts';
import type { Promotions } from './interfaces/promotions.ts';
import { releaseEach, type ReleaseDeps } from './release.ts';
import type { Scope } from './detect-drift.ts';
import { wantedVersions } from './wanted-version.ts';

/**
 * Idle instances of an older template version or of another checkpoint than the promoted one, or of a template no
 * longer offered. Half of the target, rounded down, stays takeable; true when some had to stay for that, to be replaced
 * as soon as new ones are ready. What another server or worker that runs still makes is left alone: during an upgrade
 * two versions would otherwise go on replacing each other's. Of `records` that are one node's, half go at a time: other
 * nodes may be at it as well. While nobody can tell who else runs, nothing goes.
 */
export async function retireOutdated(
  deps: ReleaseDeps & {
    readonly catalogue: Catalogue;
    readonly inventory: Inventory;
    readonly promotions: Promotions;
    readonly processes: Pick<ProcessRegistry, 'everyone'>;
    readonly runtime: Pick<ContainerRuntime, 'imageVersion'>;
    readonly node: { readonly name: string };
  },
  records: readonly Instance[],
  scope: Scope = 'all',
): Promise<boolean> {
  const { catalogue } = deps;
  const ready = new Map<string, Instance[]>();
  for (const record of records) {
    if (record.state !== 'ready') continue;
    const idle = ready.get(record.template);
    if (idle === undefined) ready.set(record.template, [record]);
    else idle.push(record);
  }
  let unfinished = false;
  const wanted = await wantedVersions(deps, catalogue.all());
  const running = await deps.processes.everyone();
  if (running === undefined) return false;
  for (const [name, idle] of ready) {
    const version = wanted.get(name)?.version;
    const offered = new Set(running.map(({ templates }) => templates[name]));
    offered.delete(catalogue.version(name));
    const outdated = idle.filter(
      (record) =>
        (version === undefined || isOutdated(record, version, deps.node.name)) &&
        !offered.has(templateVersionOf(record.templateVersion)),
    );
    const template = catalogue.get(name);
    if (outdated.length === 0) continue;
    const most = template === undefined ? outdated.length : await dispensable(deps, template, idle.length, scope);
    const leaving = outdated.slice(0, most);
    await releaseEach(deps, leaving, 'outdated', ['ready']);
    if (template === undefined || leaving.length === outdated.length) continue;
    // The rest goes when their successors are ready; with none on the way, the next regular round is soon enough.
    unfinished ||= ((await deps.inventory.stats([template])).get(name)?.warming ?? 0) > 0 || leaving.length > 0;
  }
  return unfinished;
}

/** How many of so many idle ones may go at once. */
export async function dispensable(
  { inventory }: { readonly inventory: Pick<Inventory, 'stats'> },
  template: Template,
  idle: number,
  scope: Scope,
): Promise<number> {
  const stats = (await inventory.stats([template])).get(template.name);
  const keep = Math.floor((stats?.target ?? template.pool.target) / 2);
  if (scope !== 'node') return Math.max(0, idle - keep);
  const ready = stats?.ready ?? 0;
  return Math.max(0, Math.min(ready - keep, Math.ceil(idle / 2)));
}

/** What is not known here, a node's image or what an instance was made of before versions told it, says nothing. */
function isOutdated({ templateVersion, node }: Instance, wanted: string, here: string): boolean {
  const judged = node === here && templateVersion.includes('@') && wanted.includes('@');
  return judged ? templateVersion !== wanted : versionWithoutImage(templateVersion) !== versionWithoutImage(wanted);
}
