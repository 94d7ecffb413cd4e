import type { FleetNode } from '../domain/node.ts';
import { COMES_AND_GOES, isShortOfMemory } from '../domain/placement.ts';
import type { RunningProcess } from '../domain/running-process.ts';
import type { NodeSnapshot } from '../pool/operate-nodes.ts';
import { failure, ok, warning, type Check, type Observation, type Shared } from './check.ts';
import { proxyAddresses, type OwnPlace } from './proxy-addresses.ts';

const PART = 'Nodes';
/** Of a cordon that somebody forgot, as in the alert. */
const LONG_MS = 12 * 60 * 60_000;
const SHOW = 'See `try-it-now nodes list`';

export interface FleetState {
  readonly nodes: readonly NodeSnapshot[];
  readonly processes: readonly RunningProcess[];
}

/** The hosts that hold instances, as each says itself. `templates`: the names of those on offer. */
export function nodeChecks(
  fleet: Shared<FleetState>,
  templates: readonly string[],
  own: OwnPlace,
  nowMs: () => number = Date.now,
): Check[] {
  return [
    {
      part: PART,
      what: 'nodes',
      run: async () => {
        const { nodes } = await fleet.need();
        const boot = await own.boot();
        return [
          summary(nodes),
          ...nodes.flatMap((node) => [
            ...(node.name === own.node ? ofAnotherHost(node, boot) : []),
            ...problems(node, nowMs()),
          ]),
        ];
      },
    },
    { part: PART, what: 'templates', run: async () => makers((await fleet.need()).nodes, templates) },
    { part: PART, what: 'versions', run: async () => versions((await fleet.need()).nodes) },
    { part: PART, what: 'proxy addresses', run: async () => proxyAddresses(await fleet.need(), own) },
  ];
}

function summary(nodes: readonly NodeSnapshot[]): Observation {
  if (nodes.length === 0)
    return warning(
      'nodes',
      'no host has ever said that it holds instances',
      'Start the server (`systemctl start try-it-now`), which makes its host one.',
    );
  const sum = (state: keyof NodeSnapshot['instances']): number =>
    nodes.reduce((total, { instances }) => total + instances[state], 0);
  const alive = nodes.filter(({ heartbeat }) => heartbeat !== undefined).length;
  return ok('nodes', `${alive} of ${nodes.length} are alive; ${sum('ready')} ready, ${sum('assigned')} with visitors`);
}

function problems(node: NodeSnapshot, nowMs: number): Observation[] {
  const { name, heartbeat, control, instances } = node;
  if (heartbeat === undefined)
    return [
      control.mode === 'draining'
        ? warning(
            name,
            'is silent, and was being drained',
            `If its host is to go, \`try-it-now nodes remove ${name}\`; otherwise start try-it-now-worker there.`,
          )
        : failure(
            name,
            'has said nothing for 12 s or longer: its host or the network to it is down, or nothing of ours runs ' +
              `there; ${instances.assigned} visits are kept for it, ${instances.leaving} wait for their cleanup`,
            'Start its server or worker (`systemctl start try-it-now-worker`), and run `try-it-now doctor` there. If ' +
              `its host is gone for good, \`try-it-now nodes remove ${name} --force\`.`,
          ),
    ];
  return [...emptied(node, nowMs), ...unsteady(node, heartbeat), ...full(node, heartbeat), ...unable(node, heartbeat)];
}

/** Then nothing starts here under that name. */
function ofAnotherHost({ name, heartbeat }: NodeSnapshot, boot: string | undefined): Observation[] {
  if (heartbeat?.boot === undefined || boot === undefined || heartbeat.boot === boot) return [];
  return [
    failure(
      `${name} name`,
      `the host that says it is ${name} is ${heartbeat.host ?? 'unnamed'} at ${heartbeat.address}, and not this one`,
      'Give this host a NODE_NAME of its own, and start its server or worker. If it was rebooted a moment ago, look ' +
        'again in a quarter of a minute.',
    ),
  ];
}

/** Cordons and drains that nobody ended. */
function emptied({ name, state, control, instances }: NodeSnapshot, nowMs: number): Observation[] {
  const what = `${name} mode`;
  const since = control.sinceMs === undefined ? '' : ` since ${new Date(control.sinceMs).toISOString()}`;
  if (state === 'draining' && control.overdue)
    return [
      failure(
        what,
        `its drain should have ended by now, and ${held(instances)} instances are left there`,
        `See what keeps them (\`try-it-now nodes show ${name}\`, \`try-it-now instances list --state quarantined\`), ` +
          'and run `try-it-now doctor` on its host.',
      ),
    ];
  if (state === 'active' || nowMs - (control.sinceMs ?? nowMs) < LONG_MS) return [];
  return [
    warning(
      what,
      `${state}${since}: it gets no instances`,
      `\`try-it-now nodes uncordon ${name}\`, unless it is meant so.`,
    ),
  ];
}

/** What keeps it from getting instances while others can, without being full. */
function unsteady({ name, losses }: NodeSnapshot, { cutOff }: NonNullable<FleetNode['heartbeat']>): Observation[] {
  if (cutOff !== undefined)
    return [
      warning(
        `${name} tasks`,
        `${cutOff}: others make new instances where they can, and its cleanups wait`,
        'Look at NATS_URL and at the network on its host (`try-it-now doctor` there, NATS).',
      ),
    ];
  return losses < COMES_AND_GOES
    ? []
    : [
        warning(
          `${name} losses`,
          `it was lost ${losses} times of late, and gets instances only where no other node can make them`,
          'Look at its host and its network to Valkey. Ten minutes after the last loss it gets them again.',
        ),
      ];
}

function held(instances: NodeSnapshot['instances']): number {
  return Object.values(instances).reduce((sum, count) => sum + count, 0);
}

function full(node: NodeSnapshot, heartbeat: NonNullable<FleetNode['heartbeat']>): Observation[] {
  const { capacity, disk, memory } = heartbeat;
  const { name, freePorts, placed } = node;
  const what = `${name} room`;
  if (disk?.low === true)
    return [
      failure(
        what,
        'its disk has less room than DISK_RESERVE: nothing is started there',
        'Make room there (`podman image prune`, `try-it-now checkpoint prune`); `try-it-now doctor` on its host says ' +
          'which disk it is.',
      ),
    ];
  if (memory !== undefined && isShortOfMemory(heartbeat))
    return [
      failure(
        what,
        `${gib(memory.available)} of its ${gib(memory.total)} GiB of memory are available: nothing is started there`,
        'Lower the targets of pools (`try-it-now pool scale`), have clones share memory (`memory: share`), see ' +
          'what else runs there, or add a host.',
      ),
    ];
  if (capacity !== undefined && node.held + placed >= capacity)
    return [
      warning(what, `it holds as many instances as it may (${capacity})`, 'Raise its NODE_CAPACITY, or add a host.'),
    ];
  return freePorts > placed
    ? []
    : [
        warning(
          what,
          'it has no free port',
          'Widen CONTAINER_PORT_RANGE_START to CONTAINER_PORT_RANGE_END there, or add a host.',
        ),
      ];
}

function gib(bytes: number): string {
  return (bytes / 2 ** 30).toFixed(1);
}

/** Each reason once, with the templates it holds for. */
function unable({ name }: NodeSnapshot, { templates }: NonNullable<FleetNode['heartbeat']>): Observation[] {
  const byReason = new Map<string, string[]>();
  for (const [template, reason] of Object.entries(templates))
    if (reason !== '') byReason.set(reason, [...(byReason.get(reason) ?? []), template]);
  if (byReason.size === 0) return [];
  const seen = [...byReason].map(([reason, names]) => `${names.sort().join(', ')}: ${reason}`).join('; ');
  return [
    warning(
      `${name} templates`,
      `it cannot make ${seen}`,
      'Fix that on its host (`try-it-now doctor` there has the command), or have NODE_LABELS and the `nodes` of the ' +
        'templates say where they are made.',
    ),
  ];
}

/** Whether each template has a node that is given instances. Why they may fail there is told of the node. */
function makers(nodes: readonly NodeSnapshot[], templates: readonly string[]): Observation[] {
  const isLeftOut = ({ obstacles }: NodeSnapshot, template: string): boolean =>
    obstacles.get(template)?.lastResort === false;
  const stuck = templates.filter((template) => nodes.every((node) => isLeftOut(node, template)));
  if (stuck.length === 0) return [ok('templates', 'each has a node that can be given an instance')];
  return stuck.map((template) =>
    warning(
      `template ${template}`,
      `no node can be given an instance: ${
        nodes.map(({ name, obstacles }) => `${name}, ${obstacles.get(template)?.reason ?? ''}`).join('; ') ||
        'there is none'
      }`,
      `${SHOW}; add a host, open one again, or make one able to.`,
    ),
  );
}

/** Of what has to be the same so that work can go from one host to another. */
function versions(nodes: readonly NodeSnapshot[]): Observation[] {
  const of = (read: (heartbeat: NonNullable<FleetNode['heartbeat']>) => string | undefined): Map<string, string[]> => {
    const found = new Map<string, string[]>();
    for (const { name, heartbeat } of nodes) {
      const version = heartbeat === undefined ? undefined : read(heartbeat);
      if (version !== undefined) found.set(version, [...(found.get(version) ?? []), name]);
    }
    return found;
  };
  const judge = (what: string, found: Map<string, string[]>, remedy: string): Observation => {
    const seen = [...found].map(([version, names]) => `${version} (${names.join(', ')})`).join('; ');
    return found.size <= 1 ? ok(what, [...found.keys()].join('') || 'not said') : warning(what, seen, remedy);
  };
  return [
    judge(
      'program',
      of(({ program }) => program),
      'Finish the upgrade: servers before workers. Two versions may run side by side meanwhile.',
    ),
    judge(
      'engine',
      of(({ engine, engineVersion }) => (engineVersion === undefined ? engine : `${engine} ${engineVersion}`)),
      'Install the same one everywhere: a checkpoint is restored by the engine that made it, and others start cold.',
    ),
    judge(
      'kernel',
      of(({ kernel }) => kernel),
      'Boot the same one everywhere: a checkpoint is restored on the kernel it was made on, and others start cold.',
    ),
  ];
}
