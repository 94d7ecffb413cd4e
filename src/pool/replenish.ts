import type { Placement } from '../domain/place-tickets.ts';
import { TASK_VERSION } from '../domain/task.ts';
import type { Catalogue, Template } from '../domain/template.ts';
import { within, type Tracer } from '../domain/tracer.ts';
import type { FleetPlanner } from './fleet-planner.ts';
import type { ProvisioningStore } from './interfaces/provisioning-store.ts';
import type { TaskQueue } from './interfaces/task-queue.ts';

export interface ReplenishDeps {
  readonly catalogue: Catalogue;
  readonly provisioningStore: ProvisioningStore;
  readonly queue: Pick<TaskQueue, 'publishProvision'>;
  readonly planner: Pick<FleetPlanner, 'look' | 'assign' | 'tell'>;
  /** Of a template: the ids of ready instances that are to be replaced elsewhere before they go. */
  readonly leavingReady: (template: string) => readonly string[];
  /** Of a template: instances on lost nodes that are to be taken down there, and take no room elsewhere. */
  readonly stranded: (template: string) => number;
  readonly tracer: Tracer;
  /** The spans of what asked for a refill since there was one, as far as they are traced: what the next one is for. */
  readonly askedBy: () => readonly string[];
}

/** Most rounds need one or two; the next call goes on where this one ends. */
const BATCH = 16;

/**
 * One round: fills every pool up to its target, some of each in turn, so that nobody's large one keeps the others
 * waiting. Room that could not be queued for is given back, and the error thrown.
 */
export async function replenish(deps: ReplenishDeps, signal: AbortSignal): Promise<void> {
  const placement = await deps.planner.look();
  let unfilled = deps.catalogue.all();
  for (const template of unfilled) deps.planner.tell(placement, template);
  while (unfilled.length > 0) {
    const more: Template[] = [];
    for (const template of unfilled) {
      if (signal.aborted) return;
      if (await refill(deps, placement, template)) more.push(template);
    }
    unfilled = more;
  }
}

/** False when there is nothing more to reserve, or no node to make it. */
async function refill(deps: ReplenishDeps, placement: Placement, template: Template): Promise<boolean> {
  const { provisioningStore, leavingReady, stranded, tracer } = deps;
  const most = placement.room(template, BATCH);
  if (most === 0) return false;
  const { name } = template;
  const ids = await provisioningStore.reserveTickets(template, {
    most,
    going: leavingReady(name),
    stranded: stranded(name),
  });
  if (ids.length === 0) return false;
  const span = tracer.begin({
    name: 'refill',
    links: deps.askedBy(),
    attributes: { 'try_it_now.template': name, 'try_it_now.tickets': ids.length },
  });
  await within(span, () => queueTasks(deps, placement, template, ids));
  return true;
}

async function queueTasks(
  { provisioningStore, queue, planner }: ReplenishDeps,
  placement: Placement,
  template: Template,
  ids: readonly string[],
): Promise<void> {
  const { name } = template;
  try {
    const placed = await planner.assign(placement, template, ids);
    await queue.publishProvision(
      [...placed].map(([id, node]) => ({ v: TASK_VERSION, kind: 'provision', id, template: name, node })),
    );
  } catch (error) {
    // A task that did get through finds no ticket and is dropped.
    await provisioningStore.cancelTickets(name, ids);
    throw error;
  }
}
