import type { Catalogue, Template } from '../domain/template.ts';
import { TryItNowError } from '../domain/errors.ts';
import { estimate, type Estimate } from '../domain/waiting-time.ts';
import type { Observer } from './interfaces/observer.ts';
import type { WaitingList } from './interfaces/waiting-list.ts';

export interface WaitDeps {
  readonly catalogue: Catalogue;
  readonly waitingList: WaitingList;
  readonly observer: Pick<Observer, 'stoppedWaiting' | 'visitStep'>;
}

/** How one who waits stands. */
export interface Place extends Estimate {
  /** 1 is the first. */
  readonly position: number;
  readonly waitedMs: number;
  /** There is an instance for them: it is theirs if they ask for it now. */
  readonly turn: boolean;
  /** Being prepared, for whomever. */
  readonly warming: number;
  /** The operators' word, while the pool is paused. */
  readonly note: string | undefined;
}

/** Keeps the places looked at; those that are gone are left out. Throws unknown_template, store_unavailable. */
export async function lookAtPlaces(
  deps: WaitDeps,
  templateName: string,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Place>> {
  const template = templateOf(deps, templateName);
  const { supply, standings, reason, lapsed } = await deps.waitingList.look(template, ids);
  noteLapsed(deps, template, lapsed);
  return new Map(
    [...standings].map(([id, { ahead, waitedMs }]): [string, Place] => [
      id,
      {
        ...estimate(supply, ahead),
        position: ahead + 1,
        waitedMs,
        turn: supply.mode === 'open' && supply.ready > ahead,
        warming: supply.warming,
        note: reason,
      },
    ]),
  );
}

/** False when the place was gone already. Throws unknown_template, store_unavailable. */
export async function leavePlace(deps: WaitDeps, templateName: string, id: string): Promise<boolean> {
  const { name } = templateOf(deps, templateName);
  const site = await deps.waitingList.leave(name, id);
  if (site === undefined) return false;
  deps.observer.stoppedWaiting(name, 'gave_up', 1);
  countGaveUp(deps.observer, name, site);
  return true;
}

/** One round: frees the places of those who were not heard of, also where nobody else asks. */
export async function dropLapsedPlaces(deps: WaitDeps): Promise<void> {
  const templates = deps.catalogue.all();
  const occupied = await deps.waitingList.occupied(templates.map(({ name }) => name));
  for (const template of templates.filter(({ name }) => occupied.has(name)))
    noteLapsed(deps, template, (await deps.waitingList.look(template, [])).lapsed);
}

function noteLapsed({ observer }: WaitDeps, { name }: Template, lapsed: readonly string[]): void {
  if (lapsed.length > 0) observer.stoppedWaiting(name, 'lapsed', lapsed.length);
  for (const site of lapsed) countGaveUp(observer, name, site);
}

/** A click that came to nothing, as the store counts it. */
export function countGaveUp(observer: Pick<Observer, 'visitStep'>, template: string, site: string): void {
  observer.visitStep(template, site, 'clicked');
  observer.visitStep(template, site, 'gave_up');
}

function templateOf({ catalogue }: WaitDeps, name: string): Template {
  const template = catalogue.get(name);
  if (template === undefined)
    throw new TryItNowError('unknown_template', `there is no template named ${JSON.stringify(name.slice(0, 64))}`);
  return template;
}
