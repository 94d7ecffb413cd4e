import type { Instance } from '../domain/instance.ts';
import type { Catalogue } from '../domain/template.ts';
import type { Census, Promotions } from './ports.ts';
import { sendAway, type ReleaseParts } from './release.ts';
import { wantedStock } from './stock-version.ts';

/**
 * Stock of an older template version or of another checkpoint than the promoted one, or of a template no longer offered.
 * Half of the target, rounded down, stays takeable; true when some had to stay for that, to be replaced as soon as new ones
 * are ready.
 */
export async function retireOutdated(
  parts: ReleaseParts & { readonly catalogue: Catalogue; readonly census: Census; readonly promotions: Promotions },
  records: readonly Instance[],
): Promise<boolean> {
  const { catalogue } = parts;
  const ready = new Map<string, Instance[]>();
  for (const record of records) {
    if (record.state !== 'ready') continue;
    const stock = ready.get(record.template);
    if (stock === undefined) ready.set(record.template, [record]);
    else stock.push(record);
  }
  let unfinished = false;
  const wanted = await wantedStock(parts, catalogue.all());
  for (const [name, stock] of ready) {
    const outdated = stock.filter((record) => record.templateVersion !== wanted.get(name)?.version);
    const template = catalogue.get(name);
    const keep = Math.floor((template?.pool.target ?? 0) / 2);
    const leaving = outdated.slice(0, Math.max(0, stock.length - keep));
    await Promise.all(
      leaving.map((record) => sendAway(parts, record, 'outdated', { from: ['ready'], generation: record.generation })),
    );
    if (template === undefined || leaving.length === outdated.length) continue;
    // The rest goes when their successors are ready; with none on the way, the next regular round is soon enough.
    unfinished ||= ((await parts.census.stats([template])).get(name)?.warming ?? 0) > 0 || leaving.length > 0;
  }
  return unfinished;
}
