import type { Clock } from '../domain/clock.ts';
import { TryItNowError } from '../domain/errors.ts';
import { POOL_EVENT_VERSION, type NamedPoolEvent } from '../domain/pool-event.ts';
import type { Catalogue, Template } from '../domain/template.ts';
import type { PoolSizes } from './interfaces/pool-sizes.ts';
import { knownTemplate } from './known-template.ts';

export interface PoolEventsDeps {
  readonly catalogue: Catalogue;
  readonly poolSizes: Pick<PoolSizes, 'events' | 'putEvent' | 'removeEvent'>;
  readonly clock: Clock;
}

export type WantedEvent = Omit<NamedPoolEvent, 'v'>;

const MOST_EVENTS = 200;
const LONGEST_MS = 31 * 86_400_000;

/** Throws unknown_template. */
export async function listPoolEvents(deps: PoolEventsDeps, template: string): Promise<readonly NamedPoolEvent[]> {
  return deps.poolSizes.events(knownTemplate(deps, template).name);
}

/** In place of one of the same name. Throws unknown_template, invalid_request. */
export async function putPoolEvent(deps: PoolEventsDeps, name: string, wanted: WantedEvent): Promise<NamedPoolEvent> {
  const template = knownTemplate(deps, name);
  refuse(wanted, template, deps.clock.now());
  const events = await deps.poolSizes.events(template.name);
  if (events.length >= MOST_EVENTS && !events.some((event) => event.name === wanted.name))
    throw invalid('/name', `is one too many: ${MOST_EVENTS} events of ${name} are still to come`);
  const event = { ...wanted, v: POOL_EVENT_VERSION } as const;
  await deps.poolSizes.putEvent(template.name, event);
  return event;
}

/** Throws unknown_template, unknown_event. */
export async function removePoolEvent(deps: PoolEventsDeps, template: string, name: string): Promise<void> {
  if (await deps.poolSizes.removeEvent(knownTemplate(deps, template).name, name)) return;
  throw new TryItNowError(
    'unknown_event',
    `${template} has no event named ${JSON.stringify(name.slice(0, 64))}; \`try-it-now pool event list ${template}\` ` +
      'shows those that are still to come',
  );
}

function refuse({ fromMs, toMs, target }: WantedEvent, { name, pool }: Template, nowMs: number): void {
  const { autosize } = pool;
  if (autosize === undefined)
    throw invalid('/target', `is for pools that size themselves; give ${name} a pool.autosize, or use pool scale`);
  if (target > autosize.max)
    throw invalid('/target', `must be <= ${autosize.max}, the pool.autosize.max of ${name}; raise that for more`);
  if (toMs <= fromMs) throw invalid('/to', 'must be later than from');
  if (toMs <= nowMs) throw invalid('/to', 'is over already');
  if (toMs - fromMs > LONGEST_MS) throw invalid('/to', 'must be within 31 days of from');
}

function invalid(pointer: string, message: string): TryItNowError {
  return new TryItNowError('invalid_request', `The event cannot be added: ${pointer.slice(1)} ${message}`, {
    details: { errors: [{ pointer, message }] },
  });
}
