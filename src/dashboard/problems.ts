import type {
  CatalogueState,
  ImageSnapshot,
  NodeSnapshot,
  PoolSnapshot,
  PreviewSnapshot,
  QueueInfo,
} from '../http/admin/operators.ts';
import { counted, said, sentence, type Tone } from './elements.ts';
import type { Part, Snapshot } from './snapshot.ts';

interface Problem {
  readonly tone: Tone;
  readonly text: string;
  /** Where there is more about it. */
  readonly path?: string;
  readonly remedy?: string;
}

const OLD_TASK_MS = 120_000;
const WEIGHT: Readonly<Record<Tone, number>> = { bad: 0, warn: 1, busy: 2, quiet: 3, good: 4 };

/** What an operator should know of first, the worst first. */
export function problemsOf(snapshot: Snapshot): readonly Problem[] {
  const { pools, queue, nodes, images, catalogue, previews, quarantined, atMs, diagnosed } = snapshot;
  const troubles = new Map(
    [pools, nodes, queue, images, catalogue, previews].flatMap((part: Part<unknown>) =>
      'trouble' in part ? [[part.trouble.message, part.trouble] as const] : [],
    ),
  );
  return [
    ...[...troubles.values()].map(({ message, remedy }): Problem => ({
      tone: 'bad',
      text: `${said(message)}.`,
      remedy,
    })),
    ...('value' in pools ? pools.value.flatMap(ofPool) : []),
    ...('value' in queue ? ofQueue(queue.value, atMs) : []),
    ...('value' in nodes ? ofNodes(nodes.value, unwanted('value' in pools ? pools.value : [])) : []),
    ...('value' in catalogue ? ofCatalogue(catalogue.value, atMs) : []),
    ...('value' in images ? images.value.flatMap(ofImage) : []),
    ...('value' in previews ? previews.value.flatMap(ofPreview) : []),
    ...ofQuarantine(quarantined),
    ...ofDoctor(diagnosed),
  ].sort((a, b) => WEIGHT[a.tone] - WEIGHT[b.tone]);
}

const NAMED = 5;
/** Of a reason, so many characters. */
const SHOWN = 300;

function ofQuarantine(quarantined: Snapshot['quarantined']): readonly Problem[] {
  const named = quarantined.slice(0, NAMED).map(({ id, template, reason }): Problem => ({
    tone: 'bad',
    text: `Instance ${id} of ${template} cannot be taken down`,
    path: `/instances/${id}`,
    remedy: `${sentence(reason ?? 'Its cleanup keeps failing', SHOWN)} It is tried again; end it to try at once.`,
  }));
  const more = quarantined.length - named.length;
  if (more <= 0) return named;
  const text = `${counted(more, 'more is', 'more are')} in quarantine`;
  return [...named, { tone: 'bad', text, path: '/instances?state=quarantined' }];
}

function ofDoctor(diagnosed: Snapshot['diagnosed']): readonly Problem[] {
  const failures = diagnosed?.findings.filter(({ verdict }) => verdict === 'failure') ?? [];
  if (diagnosed === undefined || failures.length === 0) return [];
  const at = new Date(diagnosed.atMs).toISOString().slice(11, 16);
  return [
    {
      tone: 'bad',
      text: `Doctor found ${counted(failures.length, 'failure', 'failures')} at ${at} UTC`,
      path: '/doctor',
      remedy: 'It says what to do about each; run it again when that is done.',
    },
  ];
}

/** Of a pool that is to have none, nothing is tried. */
function isWanted({ target, waiting }: PoolSnapshot['stats']): boolean {
  return target > 0 || waiting > 0;
}

function unwanted(pools: readonly PoolSnapshot[]): ReadonlySet<string> {
  return new Set(pools.filter(({ stats }) => !isWanted(stats)).map(({ template }) => template));
}

function ofPool({ template, mode, breaker, stats, reason }: PoolSnapshot): readonly Problem[] {
  const path = `/pools/${encodeURIComponent(template)}`;
  const found: Problem[] = [];
  if (breaker.open && isWanted(stats))
    found.push({
      tone: 'bad',
      text: `${template}: ${counted(breaker.failures, 'start', 'starts')} in a row failed`,
      path,
      remedy:
        breaker.pauseMs > 0
          ? `The next try comes in ${Math.ceil(breaker.pauseMs / 1_000)} s; its page says why they fail.`
          : 'Its page says why they fail.',
    });
  if (mode !== 'open')
    found.push({
      tone: 'warn',
      text: `${template} is ${mode}${reason === undefined ? '' : `: “${said(reason)}”`}`,
      path,
      remedy: 'Nothing is handed out until it is resumed.',
    });
  else if (stats.ready === 0 && stats.target > 0 && !breaker.open)
    found.push({
      tone: 'warn',
      text: `${template} has nothing ready`,
      path,
      remedy: `${stats.warming} are being prepared.`,
    });
  if (stats.waiting > 0) found.push(ofLine(template, stats));
  return found;
}

/** Visitors who wait, and for what. */
function ofLine(template: string, stats: PoolSnapshot['stats']): Problem {
  const { waiting, assigned, warming, leaving, capacity } = stats;
  const text = `${counted(waiting, 'visitor waits', 'visitors wait')} for ${template}`;
  const isFull = assigned + warming + leaving >= capacity;
  if (!isFull) return { tone: 'warn', text, path: `/pools/${encodeURIComponent(template)}` };
  return {
    tone: 'warn',
    text,
    path: `/instances?${new URLSearchParams({ template, state: 'assigned' }).toString()}`,
    remedy:
      `It is at its most: ${assigned} of ${capacity} are with visitors. One comes free when a visit ends; end one, ` +
      'or raise pool.max of the template.',
  };
}

function ofQueue({ dead, oldestAtMs, consumers }: QueueInfo, now: number): readonly Problem[] {
  const found: Problem[] = [];
  if (dead > 0)
    found.push({
      tone: 'bad',
      text: `${counted(dead, 'task is', 'tasks are')} dead`,
      path: '/queue#dead',
      remedy: 'The queue says why; retry or discard them.',
    });
  for (const { name, pending, inFlight, waitingPulls } of consumers)
    if (pending > 0 && inFlight === 0 && waitingPulls === 0)
      found.push({
        tone: 'bad',
        text: `${counted(pending, 'task waits', 'tasks wait')} for a worker at ${said(name)}`,
        path: '/queue',
        remedy: 'Nobody asks for them: the worker there does not run, or cannot reach NATS.',
      });
  if (oldestAtMs !== undefined && now - oldestAtMs > OLD_TASK_MS)
    found.push({
      tone: 'warn',
      text: `The oldest task has waited for ${Math.round((now - oldestAtMs) / 60_000)} min`,
      path: '/queue',
    });
  return found;
}

function ofNodes(nodes: readonly NodeSnapshot[], unwantedTemplates: ReadonlySet<string>): readonly Problem[] {
  const silent = nodes.filter(({ heartbeat }) => heartbeat === undefined);
  const others = nodes.filter(({ heartbeat }) => heartbeat !== undefined);
  const theirs = others.flatMap((node) => ofNode(node, unwantedTemplates));
  if (silent.length <= NAMED) return [...silent.map(ofSilent), ...theirs];
  const some = silent
    .slice(0, NAMED)
    .map(({ name }) => said(name))
    .join(', ');
  const text = `${silent.length} nodes are silent: ${some} and ${silent.length - NAMED} more`;
  const remedy =
    'Look at what they have in common: the network, Valkey, the worker. Remove those that are gone for good.';
  return [{ tone: 'bad', text, path: '/nodes', remedy }, ...theirs];
}

function ofSilent({ name, instances }: NodeSnapshot): Problem {
  return {
    tone: 'bad',
    text: `Node ${said(name)} is silent`,
    path: `/nodes/${encodeURIComponent(name)}`,
    remedy: `${visitsThere(instances.assigned)}If its host is gone for good, remove it.`,
  };
}

function visitsThere(count: number): string {
  return count === 0 ? '' : `${counted(count, 'visit there goes', 'visits there go')} on if it comes back. `;
}

function ofNode(
  { name, state, heartbeat, obstacles }: NodeSnapshot,
  unwantedTemplates: ReadonlySet<string>,
): readonly Problem[] {
  const path = `/nodes/${encodeURIComponent(name)}`;
  const node = said(name);
  if (state !== 'active') return [{ tone: 'warn', text: `Node ${node} is ${state}`, path }];
  if (heartbeat?.disk?.low === true) return [{ tone: 'bad', text: `The disk of node ${node} is nearly full`, path }];
  return [false, true].flatMap((isTried) => {
    const kept = [...obstacles].filter(
      ([template, { lastResort }]) => lastResort === isTried && !unwantedTemplates.has(template),
    );
    // Often one reason keeps all templates from it.
    return [...new Set(kept.map(([, { reason }]) => reason))].map((reason): Problem => {
      const names = kept.flatMap(([name, why]) => (why.reason === reason ? [name] : [])).join(', ');
      const text = isTried
        ? `gets instances of ${names} only as no other can make them`
        : `gets no instances of ${names}`;
      return { tone: 'warn', text: `Node ${node} ${text}`, path, remedy: sentence(reason, SHOWN) };
    });
  });
}

/** After a reload the others follow within three seconds, and say so with their next word. */
const FOLLOWED_WITHIN_MS = 15_000;

function ofCatalogue({ processes }: CatalogueState, now: number): readonly Problem[] {
  const path = '/templates';
  const refused = processes.filter(({ catalogue }) => catalogue?.problem !== undefined);
  if (refused.length > 0) {
    const who = refused.map(({ role, host }) => `the ${role} on ${said(host)}`);
    const [verb, text] = [refused.length === 1 ? 'has' : 'have', [...new Set(who)].slice(0, NAMED).join(', ')];
    const remedy = 'It goes by what was before; the page says what is wrong in its file.';
    return [{ tone: 'warn', text: `${text} ${verb} refused its templates`.replace(/^t/, 'T'), path, remedy }];
  }
  const known = processes.flatMap(({ catalogue }) => (catalogue === undefined ? [] : [catalogue]));
  const newest = Math.max(...known.map(({ sinceMs }) => sinceMs));
  const revisions = new Set(known.map(({ revision }) => revision)).size;
  if (revisions < 2 || now - newest < FOLLOWED_WITHIN_MS) return [];
  const remedy = 'Visitors get one version or the other. Give each host the same file, then reload.';
  return [
    { tone: 'warn', text: `Servers and workers go by ${revisions} different catalogues of templates`, path, remedy },
  ];
}

function ofImage({ name, refused, checked }: ImageSnapshot): readonly Problem[] {
  const [path, image] = ['/images', said(name)];
  if (refused?.why === 'failed')
    return [
      {
        tone: 'warn',
        text: `A new ${image} is refused; visitors get the one before`,
        path,
        remedy: sentence(refused.reason, SHOWN),
      },
    ];
  if (checked?.problem === undefined) return [];
  return [
    {
      tone: 'warn',
      text:
        checked.problem.untried === true
          ? `A new ${image} could not be tried so far`
          : `Nobody can say whether there is a new ${image}`,
      path,
      remedy: sentence(checked.problem.reason, SHOWN),
    },
  ];
}

/** One that does not come up is a pool whose starts fail. */
function ofPreview({ name, state, why = '' }: PreviewSnapshot): readonly Problem[] {
  if (state !== 'refused') return [];
  const remedy = `${sentence(why, SHOWN)} Remove it, or have the file allow it again.`;
  return [{ tone: 'warn', text: `The preview ${said(name)} is not offered`, path: '/previews', remedy }];
}
