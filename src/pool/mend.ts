import { giveUpTicket } from './abandon.ts';
import { REPAIR_KINDS, type Arrivals, type ContainerRuntime, type RepairKind, type TaskQueue } from './ports.ts';
import { sendAway, type ReleaseParts } from './release.ts';
import { forsakenTickets, isOrphan, orphanedDatabases, type Finding, type Survey, type SurveyParts } from './survey.ts';

export interface MendParts extends ReleaseParts, SurveyParts {
  readonly arrivals: Arrivals;
  readonly queue: TaskQueue;
  readonly runtime: Pick<ContainerRuntime, 'list' | 'remove'>;
}

export interface Mending {
  readonly repaired: number;
  readonly failures: readonly { readonly kind: RepairKind; readonly error: unknown }[];
}

/** Resolves with how many things were put right: less than were found when others were faster. */
type Job = () => Promise<number>;

/**
 * Puts right what a survey found. Time has passed since, so each job looks again before it acts, or has the store look.
 * Every job is tried, even when another fails.
 */
export async function mend(parts: MendParts, survey: Survey): Promise<Mending> {
  const failures: { kind: RepairKind; error: unknown }[] = [];
  let repaired = 0;
  const jobs = jobsFor(parts, survey);
  for (const kind of REPAIR_KINDS) {
    for (const job of jobs[kind]) {
      try {
        const count = await job();
        repaired += count;
        parts.observer.repaired(kind, count);
      } catch (error) {
        failures.push({ kind, error });
      }
    }
  }
  return { repaired, failures };
}

function jobsFor(
  parts: MendParts,
  { findings, oversights, records = [] }: Survey,
): Readonly<Record<RepairKind, readonly Job[]>> {
  const { census, proxy } = parts;
  const found = <Kind extends RepairKind>(kind: Kind) =>
    findings.filter((finding): finding is Extract<Finding, { readonly kind: Kind }> => finding.kind === kind);
  const once = (kind: RepairKind, job: Job): Job[] => (found(kind).length > 0 ? [job] : []);
  // What nobody could list may still answer on a port that no record holds.
  const mayFreePorts = !oversights.some(({ kinds }) => kinds.includes('container'));
  return {
    container: found('container').map(
      ({ container }) =>
        () =>
          removeOrphan(parts, container),
    ),
    network: found('network').map(
      ({ what }) =>
        () =>
          removeNetwork(parts, what),
    ),
    database: found('database').map(
      ({ what }) =>
        () =>
          dropOrphan(parts, what),
    ),
    record: found('record').map(
      ({ record }) =>
        () =>
          takeOut(parts, record),
    ),
    port: mayFreePorts ? once('port', () => census.settlePorts()) : [],
    index: once('index', () => census.settleIndexes(records)),
    hostname: once('hostname', () => census.settleHostnames(records)),
    ticket: found('ticket').map(({ ticket }) => async () => {
      if (!(await forsakenTickets(parts)).some(({ id }) => id === ticket.id)) return 0;
      await giveUpTicket(parts, ticket);
      return 1;
    }),
    proxy: once('proxy', async () => ((await proxy?.ensure()) === 'written' ? 1 : 0)),
  };
}

async function removeOrphan(parts: MendParts, container: Parameters<typeof isOrphan>[1]): Promise<number> {
  if (!(await isOrphan(parts, container))) return 0;
  await parts.runtime.remove(container.name);
  parts.log.warn(
    { container: container.name, instance: container.instanceId },
    'Removed a container that no record knows of',
  );
  return 1;
}

async function removeNetwork({ networks, log }: MendParts, network: string): Promise<number> {
  if (networks === undefined) return 0;
  await networks.remove(network);
  log.warn({ network }, 'Removed a network that is not used any more');
  return 1;
}

async function dropOrphan({ databases, census, log }: MendParts, database: string): Promise<number> {
  if (databases === undefined || (await orphanedDatabases(census, [database])).length === 0) return 0;
  await databases.drop(database);
  log.warn({ database }, 'Dropped a database that no record knows of');
  return 1;
}

async function takeOut(
  parts: MendParts,
  record: Extract<Finding, { readonly kind: 'record' }>['record'],
): Promise<number> {
  const gone = await sendAway(parts, record, 'container_lost', {
    from: ['ready', 'assigned'],
    generation: record.generation,
  });
  if (gone === undefined) return 0;
  parts.log.warn(
    { instance: record.id, container: record.container, state: record.state },
    'The container of an instance is gone; the instance is taken out',
  );
  return 1;
}
