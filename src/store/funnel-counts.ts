import type { Redis as Valkey } from 'iovalkey';
import { VISIT_STEPS, type VisitStep } from '../domain/visit-event.ts';
import type { FunnelCount, FunnelCounts } from '../pool/interfaces/funnel-counts.ts';
import { storeError } from './client.ts';
import { keys } from './keys.ts';

const DAY_MS = 86_400_000;

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

/** By this process's clock: it only says which day a step is counted on. */
export function today(): string {
  return dayOf(Date.now());
}

/** Counted by the scripts that make the changes. */
export class ValkeyFunnelCounts implements FunnelCounts {
  readonly #client: Valkey;

  constructor(client: Valkey) {
    this.#client = client;
  }

  async read(days: number): Promise<readonly FunnelCount[]> {
    const now = Date.now();
    const wanted = Array.from({ length: days }, (_, back) => dayOf(now - back * DAY_MS));
    try {
      const found = await Promise.all(wanted.map((day) => this.#client.hgetall(keys.funnel(day))));
      return found.flatMap((counts, at) =>
        Object.entries(counts).flatMap(([field, count]) => asCount(wanted[at] ?? '', field, count) ?? []),
      );
    } catch (error) {
      throw storeError(error);
    }
  }
}

/** Undefined for what another version, or somebody else, has written. */
function asCount(day: string, field: string, text: string): FunnelCount | undefined {
  const [template, site, counted = '', ...more] = field.split(' ');
  const [step, reason] = counted.split(':');
  const known = VISIT_STEPS.find((each): each is VisitStep => each === step);
  const count = Number(text);
  if (template === undefined || site === undefined || known === undefined || more.length > 0) return undefined;
  return Number.isSafeInteger(count) ? { day, template, site, step: known, reason, count } : undefined;
}
