import { describeError } from '../domain/errors.ts';
import type { Catalogue } from '../domain/template.ts';
import { repairDrift, type RepairDeps } from './repair-drift.ts';
import type { ContainerRuntime } from './interfaces/container-runtime.ts';
import type { NodeRegistry } from './interfaces/node-registry.ts';
import type { ProcessRegistry } from './interfaces/process-registry.ts';
import type { Promotions } from './interfaces/promotions.ts';
import { retireOutdated } from './retire-outdated.ts';
import type { TemplateFitness } from './template-fitness.ts';
import { countFindings, detectDrift, type Scope } from './detect-drift.ts';

export interface ReconcileDeps extends RepairDeps {
  readonly catalogue: Catalogue;
  readonly runtime: ContainerRuntime;
  readonly promotions: Promotions;
  readonly registry: Pick<NodeRegistry, 'announce'>;
  readonly processes: ProcessRegistry;
  readonly fitness: Pick<TemplateFitness, 'prepare'>;
  /** Says that this node is alive. Throws where another host may have its name. */
  readonly beat: (stopping?: AbortSignal) => Promise<void>;
}

/**
 * One round of making the recorded and the actual state agree, both ways. Every part is tried even when another fails;
 * then the failures are thrown together. Unfinished: there is more to do as soon as new instances are ready.
 */
export async function reconcile(
  deps: ReconcileDeps,
  scope: Scope = 'all',
  stopping?: AbortSignal,
): Promise<{ readonly unfinished: boolean }> {
  const { registry, databases, catalogue } = deps;
  const failures: unknown[] = [];
  const attempt = async (work: () => Promise<unknown>): Promise<boolean> => {
    try {
      await work();
      return true;
    } catch (error) {
      failures.push(error);
      return false;
    }
  };
  if (scope !== 'pool') {
    // Isolation rules last only until somebody flushes the host's firewall.
    await attempt(() => deps.fitness.prepare());
    await attempt(async () => databases?.keepPrepared(catalogue.all()));
    // Whoever has another catalogue, on a server that nodes share, uses other seeds.
    await attempt(async () => {
      if (databases !== undefined && (await offeredByAll(deps))) await databases.dropSeedsBut(catalogue.all());
    });
    // While this host was cut off, another one may have taken its name, and with it what is recorded of the node.
    if (!(await attempt(() => deps.beat(stopping)))) throwTogether(failures);
    await attempt(() => registry.announce(deps.runtime.engine));
  }
  const seen = await detectDrift(deps, scope);
  deps.observer.driftDetected(countFindings(seen));
  const repair = await repairDrift(deps, seen);
  failures.push(...[...seen.unchecked, ...repair.failures].map(({ error }) => error));
  let unfinished = false;
  await attempt(async () => {
    unfinished = seen.records !== undefined && (await retireOutdated(deps, seen.records, scope));
  });
  throwTogether(failures);
  return { unfinished };
}

/** Whether every process that runs makes instances of nothing but what is offered here. */
async function offeredByAll({ processes, catalogue }: ReconcileDeps): Promise<boolean> {
  const offered = (await processes.everyone())?.flatMap(({ templates }) => Object.entries(templates));
  return offered?.every(([name, version]) => catalogue.version(name) === version) ?? false;
}

/** Several parts that need the same server say the same when it does not answer. */
function throwTogether(failures: readonly unknown[]): void {
  const different = [...new Map(failures.map((failure) => [describeError(failure), failure])).values()];
  if (different.length === 1) throw different[0];
  if (different.length > 1)
    throw new AggregateError(different, different.map((failure) => describeError(failure)).join('; '));
}
