import type { OperatorAction } from '../domain/operator-role.ts';
import { reasonOf, ruleOf, seconds, targetOf, wholeNumber, type Fields } from './form-fields.ts';

/** A call of the admin API. */
interface Call {
  readonly method: 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly body?: object;
}

export interface Act {
  /** Whose role counts, and what the audit log says. */
  readonly action: OperatorAction;
  readonly button: string;
  readonly danger?: true;
  /** What the command asks before it does it; undefined: it is done at once. */
  readonly question?: (on: string, fields: Fields) => string | undefined;
  /** Throws invalid_request. */
  readonly call: (on: string, fields: Fields) => Call;
  /** What it says when it is done. */
  readonly done: (on: string, answer: Readonly<Record<string, unknown>>) => string;
  /** Where its form is. */
  readonly back: (on: string) => string;
}

const poolPath = (template: string): string => `/pools/${encodeURIComponent(template)}`;
const nodePath = (node: string): string => `/nodes/${encodeURIComponent(node)}`;
const previewPath = (preview: string): string => `/previews/${encodeURIComponent(preview.trim())}`;
const toPreviews = (): string => '/previews';
const imagePath = (image: string): string => `/images/${encodeURIComponent(image)}`;
const toImages = (): string => '/images';
const checkpointPath = (id: string): string => `/checkpoints/${encodeURIComponent(id)}`;
const toCheckpoints = (): string => '/checkpoints';
const toQueue = (): string => '/queue';
const toNetworks = (): string => '/networks';
const toWebhooks = (): string => '/webhooks';

const POOLS = {
  'pool.pause': {
    action: 'pool.pause',
    button: 'Pause',
    call: (on, fields) => ({ method: 'POST', path: `${poolPath(on)}/pause`, body: reasonOf(fields) }),
    done: (on) => `${on} is paused: nothing is handed out, idle instances stay warm.`,
    back: poolPath,
  },
  'pool.drain': {
    action: 'pool.drain',
    button: 'Drain',
    danger: true,
    question: (on, { within = '' }) =>
      within === '' ? undefined : `End what visitors of ${on} still hold after ${within}?`,
    call: (on, fields) => ({
      method: 'POST',
      path: `${poolPath(on)}/drain`,
      body: { ...reasonOf(fields), ...seconds('within_seconds', fields['within'], ['0s', '30d', '10m']) },
    }),
    done: (on) => `${on} is being drained.`,
    back: poolPath,
  },
  'pool.resume': {
    action: 'pool.resume',
    button: 'Resume',
    call: (on) => ({ method: 'POST', path: `${poolPath(on)}/resume`, body: {} }),
    done: (on) => `${on} hands out again.`,
    back: poolPath,
  },
  'pool.scale': {
    action: 'pool.scale',
    button: 'Set target',
    call: (on, { target = '' }) => ({
      method: 'PUT',
      path: `${poolPath(on)}/target`,
      body: { target: targetOf(target) },
    }),
    done: (on, { target }) => `The target of ${on} is ${String(target)}.`,
    back: poolPath,
  },
} as const satisfies Record<string, Act>;

const TEMPLATES = {
  'templates.reload': {
    action: 'templates.reload',
    button: 'Reload',
    question: (_, { changes = '' }) =>
      changes === ''
        ? 'Have every server and worker read its templates again?'
        : `Have every server and worker go by its files? Here that means ${changes}. Visits go on.`,
    call: () => ({ method: 'POST', path: '/templates/reload', body: {} }),
    done: (_, { changes }) => `${reloadedOf(changes)} The others follow within seconds; below is who has.`,
    back: () => '/templates',
  },
} as const satisfies Record<string, Act>;

const PREVIEWS = {
  'preview.put': {
    action: 'preview.put',
    button: 'Put preview',
    call: (_, { name = '', from = '', image = '', for: length }) => ({
      method: 'PUT',
      path: previewPath(name),
      body: { from, image: image.trim(), ...seconds('for_seconds', length, ['1m', '365d', '14d']) },
    }),
    done: (_, { name, state, url }) => `${String(name)} is ${String(state)}. Visitors click at ${String(url)}`,
    back: toPreviews,
  },
  'preview.remove': {
    action: 'preview.remove',
    button: 'Remove',
    danger: true,
    question: (on) => `Remove the preview ${on}? Nobody gets one any more; whoever visits one goes on.`,
    call: (on) => ({ method: 'DELETE', path: previewPath(on) }),
    done: (on) => `${on} is not offered any more; nothing of it is left once those who visit one have gone.`,
    back: toPreviews,
  },
} as const satisfies Record<string, Act>;

const INSTANCES = {
  'instance.release': {
    action: 'instance.release',
    button: 'End instance',
    danger: true,
    question: (on, { template = '', state = '' }) =>
      `End instance ${on} of ${template} (${state === 'assigned' ? 'a visitor has it' : `it is ${state}`})?`,
    call: (on) => ({ method: 'DELETE', path: `/instances/${encodeURIComponent(on)}` }),
    done: (on, { state }) => `Instance ${on} is ${String(state)}; its address has stopped working, for good.`,
    back: () => '/instances',
  },
} as const satisfies Record<string, Act>;

const QUEUE = {
  'queue.retry': {
    action: 'queue.retry',
    button: 'Retry',
    call: (on) => ({ method: 'POST', path: `/queue/dead/${encodeURIComponent(on)}/retry`, body: {} }),
    done: (on) => `The dead task ${on} is queued again.`,
    back: toQueue,
  },
  'queue.retry-all': {
    action: 'queue.retry',
    button: 'Retry all',
    call: () => ({ method: 'POST', path: '/queue/dead/retry', body: {} }),
    done: (_, { retried }) => `Queued again: ${String(retried)}.`,
    back: toQueue,
  },
  'queue.forget': {
    action: 'queue.forget',
    button: 'Discard',
    danger: true,
    question: (on) => `Discard the dead task ${on}?`,
    call: (on) => ({ method: 'DELETE', path: `/queue/dead/${encodeURIComponent(on)}` }),
    done: (on) => `The dead task ${on} is gone.`,
    back: toQueue,
  },
  'queue.drop': {
    action: 'queue.drop',
    button: 'Discard',
    danger: true,
    question: (on) => `Discard task ${on}?`,
    call: (on) => ({ method: 'DELETE', path: `/queue/tasks/${encodeURIComponent(on)}` }),
    done: (on, { kind }) =>
      `Task ${on} is gone. ` +
      (kind === 'provision'
        ? 'The pools plan another for it.'
        : 'What it was to take down is queued again within about half a minute.'),
    back: toQueue,
  },
  'queue.purge': {
    action: 'queue.purge',
    button: 'Discard all',
    danger: true,
    question: (_, { which = '' }) => `Discard all ${which} tasks?`,
    call: (_, { which = '' }) => ({ method: 'POST', path: '/queue/purge', body: { which } }),
    done: (_, { purged }) => `Discarded: ${String(purged)}.`,
    back: toQueue,
  },
} as const satisfies Record<string, Act>;

const NODES = {
  'node.cordon': {
    action: 'node.cordon',
    button: 'Cordon',
    call: (on) => ({ method: 'POST', path: `${nodePath(on)}/cordon`, body: {} }),
    done: (on) => `Node ${on} gets no new instances.`,
    back: nodePath,
  },
  'node.drain': {
    action: 'node.drain',
    button: 'Drain',
    danger: true,
    question: (on, { within = '' }) =>
      `Empty node ${on}, and end what visitors still hold there after ${within === '' ? '30m' : within}?`,
    call: (on, { within = '' }) => ({
      method: 'POST',
      path: `${nodePath(on)}/drain`,
      body: seconds('within_seconds', within === '' ? '30m' : within, ['0s', '30d', '30m']),
    }),
    done: (on) => `Node ${on} is being emptied.`,
    back: nodePath,
  },
  'node.uncordon': {
    action: 'node.uncordon',
    button: 'Uncordon',
    call: (on) => ({ method: 'POST', path: `${nodePath(on)}/uncordon`, body: {} }),
    done: (on) => `Node ${on} gets instances again.`,
    back: nodePath,
  },
  'node.remove': {
    action: 'node.remove',
    button: 'Remove',
    danger: true,
    question: (on, { force }) =>
      `Forget node ${on}${force === 'true' ? ', with every instance that is recorded on it' : ''}?`,
    call: (on, { force }) => ({ method: 'DELETE', path: `${nodePath(on)}${force === 'true' ? '?force=true' : ''}` }),
    done: (on, { settled }) => `Node ${on} is forgotten; ${String(settled)} instances of it were discarded.`,
    back: () => '/nodes',
  },
} as const satisfies Record<string, Act>;

const IMAGES = {
  'image.check': {
    action: 'image.check',
    button: 'Look for a new one now',
    call: (on) => ({ method: 'POST', path: `${imagePath(on)}/check`, body: {} }),
    done: (on) => `${on} is looked for; what is new is tried before anybody gets it.`,
    back: toImages,
  },
  'image.hold': {
    action: 'image.hold',
    button: 'Hold',
    call: (on, fields) => ({ method: 'POST', path: `${imagePath(on)}/hold`, body: reasonOf(fields) }),
    done: (on) => `${on} stays as it is.`,
    back: toImages,
  },
  'image.release': {
    action: 'image.release',
    button: 'Let go',
    call: (on) => ({ method: 'POST', path: `${imagePath(on)}/release`, body: {} }),
    done: (on) => `New images come under ${on} again.`,
    back: toImages,
  },
  'image.rollback': {
    action: 'image.rollback',
    button: 'Go back',
    danger: true,
    question: (on) => `Replace what is ready of ${on} by the image before?`,
    call: (on) => ({ method: 'POST', path: `${imagePath(on)}/rollback`, body: {} }),
    done: (on) => `Visitors get the ${on} before; what is ready is replaced step by step.`,
    back: toImages,
  },
} as const satisfies Record<string, Act>;

const NETWORKS = {
  'bans.add': {
    action: 'bans.add',
    button: 'Ban',
    danger: true,
    question: (_, { network = '', end }) => (end === 'true' ? `End what clients of ${network} hold?` : undefined),
    call: (_, fields) => ({
      method: 'PUT',
      path: `/bans/${encodeURIComponent(fields['network'] ?? '')}`,
      body: { ...ruleOf(fields), ...(fields['end'] === 'true' ? { end: true } : {}) },
    }),
    done: (_, { network, ended }) =>
      `Nothing is handed out to ${String(network)}.${Number(ended) > 0 ? ` Ended with it: ${String(ended)}.` : ''}`,
    back: toNetworks,
  },
  'bans.remove': {
    action: 'bans.remove',
    button: 'End ban',
    call: (on) => ({ method: 'DELETE', path: `/bans/${encodeURIComponent(on)}` }),
    done: (on) => `${on} is not banned any more.`,
    back: toNetworks,
  },
  'allowances.add': {
    action: 'allowances.add',
    button: 'Allow',
    call: (_, fields) => ({
      method: 'PUT',
      path: `/allowances/${encodeURIComponent(fields['network'] ?? '')}`,
      body: { ...ruleOf(fields), held: wholeNumber('How many at once', fields['held'] ?? '') },
    }),
    done: (_, { network, held }) => `${String(network)} may hold ${String(held)} instances at once.`,
    back: toNetworks,
  },
  'allowances.remove': {
    action: 'allowances.remove',
    button: 'End allowance',
    call: (on) => ({ method: 'DELETE', path: `/allowances/${encodeURIComponent(on)}` }),
    done: (on) => `${on} may have what others may.`,
    back: toNetworks,
  },
  'harm.forgive': {
    action: 'harm.forgive',
    button: 'Forgive',
    call: (on) => ({ method: 'DELETE', path: `/harm/${encodeURIComponent(on)}` }),
    done: (on) => `${on} gets instances as anybody does.`,
    back: toNetworks,
  },
} as const satisfies Record<string, Act>;

const OTHERS = {
  'webhooks.test': {
    action: 'webhooks.test',
    button: 'Send a test',
    call: (on) => ({ method: 'POST', path: `/webhooks/${encodeURIComponent(on)}/test`, body: {} }),
    done: (on, { taken, status, reason }) =>
      taken === true ? `${on} took it with ${String(status)}.` : `${on} did not take it: ${String(reason)}.`,
    back: toWebhooks,
  },
  'webhooks.replay': {
    action: 'webhooks.replay',
    button: 'Deliver again',
    call: (on, { within = '' }) => ({
      method: 'POST',
      path: `/webhooks/${encodeURIComponent(on)}/replay`,
      body: seconds('within_seconds', within, ['1s', '7d', '2h']),
    }),
    done: (on) => `Events are being delivered to ${on} again; below is how far that is.`,
    back: toWebhooks,
  },
  'sessions.end': {
    action: 'sessions.end',
    button: 'Log out',
    danger: true,
    question: (_, { who = '' }) => `Log ${who === '' ? 'them' : who} out? They can log in again.`,
    call: (on) => ({ method: 'DELETE', path: `/sessions/${encodeURIComponent(on)}` }),
    done: () => 'They are logged out.',
    back: () => '/sessions',
  },
} as const satisfies Record<string, Act>;

const HOST = {
  'checkpoint.create': {
    action: 'checkpoint.create',
    button: 'Make a checkpoint',
    call: (_, { template = '', promote }) => ({
      method: 'POST',
      path: `${poolPath(template)}/checkpoints`,
      body: promote === 'true' ? { promote: true } : {},
    }),
    done: (_, { on }) => `A checkpoint of ${String(on)} is being made; below is how far it is.`,
    back: toCheckpoints,
  },
  'checkpoint.verify': {
    action: 'checkpoint.verify',
    button: 'Verify',
    call: (on) => ({ method: 'POST', path: `${checkpointPath(on)}/verify`, body: {} }),
    done: (on) => `Two clones of ${on} are being restored; below is how far that is.`,
    back: toCheckpoints,
  },
  'checkpoint.promote': {
    action: 'checkpoint.promote',
    button: 'Promote',
    call: (on) => ({ method: 'POST', path: `${checkpointPath(on)}/promote`, body: {} }),
    done: (on) => `${on} is being verified, and promoted if it is sound; below is how far that is.`,
    back: toCheckpoints,
  },
  'checkpoint.rollback': {
    action: 'checkpoint.rollback',
    button: 'Roll back',
    danger: true,
    question: (on, { to = '' }) =>
      `Have ${on} ${to === '' ? 'start cold' : `restored from ${to} again`}, and its idle instances replaced?`,
    call: (on) => ({ method: 'POST', path: `${poolPath(on)}/checkpoint/rollback`, body: {} }),
    done: (on, { to }) =>
      `${on} ${typeof to === 'string' ? `is restored from ${to} again` : 'starts cold'}; its pool follows gradually.`,
    back: toCheckpoints,
  },
  'checkpoint.prune': {
    action: 'checkpoint.prune',
    button: 'Delete old ones',
    danger: true,
    question: (_, { keep = '' }) =>
      `Delete all checkpoints on this host that nothing is restored from, but the newest ${keep} of each template?`,
    call: (_, { keep = '' }) => ({
      method: 'POST',
      path: '/checkpoints/prune',
      body: { keep: wholeNumber('How many to keep', keep) },
    }),
    done: (_, { deleted }) =>
      Array.isArray(deleted) && deleted.length > 0 ? `Deleted: ${deleted.join(', ')}.` : 'There was nothing to delete.',
    back: toCheckpoints,
  },
  'doctor.run': {
    action: 'doctor.run',
    button: 'Run doctor',
    call: () => ({ method: 'POST', path: '/doctor', body: {} }),
    done: () => 'It looks at every part now; what it finds shows below by itself.',
    back: () => '/doctor',
  },
} as const satisfies Record<string, Act>;

/** Every action that the commands have, as a call of the API that they use: what it checks and keeps holds here too. */
export const ACTS = {
  ...{ ...POOLS, ...TEMPLATES, ...PREVIEWS, ...INSTANCES, ...QUEUE, ...NODES },
  ...{ ...IMAGES, ...NETWORKS, ...HOST, ...OTHERS },
};
export type ActName = keyof typeof ACTS;

export function actNamed(name: string): Act | undefined {
  return Object.hasOwn(ACTS, name) ? ACTS[name as ActName] : undefined;
}

function reloadedOf(changes: unknown): string {
  const kinds = Array.isArray(changes) ? (changes as readonly { readonly change: string }[]) : [];
  const changed = kinds.filter(({ change }) => change !== 'unchanged').length;
  return changed === 0 ? 'No template has changed here.' : `Reloaded here: ${changed} of ${kinds.length} have changed.`;
}
