import { describeError } from '../domain/errors.ts';
import type { Catalogue } from '../domain/template.ts';
import { mend, type MendParts } from './mend.ts';
import type { ContainerRuntime, NodeRegistry, Promotions } from './ports.ts';
import { retireOutdated } from './retire-outdated.ts';
import { countFindings, survey } from './survey.ts';

export interface ReconcileParts extends MendParts {
  readonly catalogue: Catalogue;
  readonly runtime: ContainerRuntime;
  readonly promotions: Promotions;
  readonly registry: NodeRegistry;
}

/**
 * One round of making the books and the world agree, both ways. Every part is tried even when another fails; then the
 * failures are thrown together. Unfinished: there is more to do as soon as new stock is ready.
 */
export async function reconcile(parts: ReconcileParts): Promise<{ readonly unfinished: boolean }> {
  const { registry, runtime, databases, catalogue } = parts;
  const failures: unknown[] = [];
  const attempt = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      failures.push(error);
    }
  };
  await attempt(() => registry.announce(parts.runtime.engine));
  // Isolation rules last only until somebody flushes the host's firewall.
  await attempt(() => runtime.prepare(catalogue.all()));
  await attempt(async () => databases?.prepare(catalogue.all()));
  const seen = await survey(parts);
  parts.observer.surveyed(countFindings(seen));
  const mending = await mend(parts, seen);
  failures.push(...[...seen.oversights, ...mending.failures].map(({ error }) => error));
  let unfinished = false;
  await attempt(async () => {
    unfinished = seen.records !== undefined && (await retireOutdated(parts, seen.records));
  });
  throwTogether(failures);
  return { unfinished };
}

/** Several parts that need the same server say the same when it is away. */
function throwTogether(failures: readonly unknown[]): void {
  const different = [...new Map(failures.map((failure) => [describeError(failure), failure])).values()];
  if (different.length === 1) throw different[0];
  if (different.length > 1)
    throw new AggregateError(different, different.map((failure) => describeError(failure)).join('; '));
}
