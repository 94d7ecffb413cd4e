import { hostname, type PublicAddress } from '../domain/address.ts';
import { TryItNowError, describeError } from '../domain/errors.ts';
import type { Instance } from '../domain/instance.ts';
import type { Log } from '../domain/log.ts';
import type { ProvisionTask } from '../domain/task.ts';
import type { Catalogue, Template } from '../domain/template.ts';
import { giveUpTicket } from './abandon.ts';
import { takeDown, type CleanupParts } from './cleanup.ts';
import type { Arrivals, ContainerRuntime, Observer, Probe, TaskContext, Takes } from './ports.ts';
import { queueCleanup, type ReleaseParts } from './release.ts';

export interface ProvisionParts extends CleanupParts, ReleaseParts {
  readonly catalogue: Catalogue;
  readonly arrivals: Arrivals;
  readonly takes: Takes;
  readonly runtime: ContainerRuntime;
  readonly probe: Probe;
  readonly observer: Observer;
  readonly address: PublicAddress;
  readonly node: { readonly name: string; readonly address: string };
  /** Where the proxy listens, seen from here. */
  readonly proxyUrl: string;
  readonly log: Log;
}

/** The proxy knows a new name at once; this bounds a proxy or discovery that is down. */
const PROXY_GATE_MS = 15_000;

/**
 * The provision saga: ticket → record → port → container → name → readiness → warm-up through the proxy → ready.
 * Each step may be repeated. A failed attempt is undone by the cleanup saga and thrown, for the queue to try again.
 */
export async function provision(parts: ProvisionParts, task: ProvisionTask, context: TaskContext): Promise<void> {
  const { catalogue, arrivals, observer, log } = parts;
  const template = catalogue.get(task.template);
  const version = catalogue.version(task.template);
  if (template === undefined || version === undefined) {
    await giveUpTicket(parts, task);
    log.warn({ instance: task.id, template: task.template }, 'Dropped a provision task for a template that is no longer offered');
    return;
  }
  const instance = await arrivals.begin(template, version, task.id);
  if (instance === undefined) {
    log.debug({ instance: task.id, template: template.name }, 'Dropped a provision task without a ticket');
    return;
  }
  const startedAt = performance.now();
  try {
    if (instance.node !== parts.node.name) throw new TryItNowError('conflicting_change', `instance ${instance.id} was begun on node ${instance.node}; it starts anew here`);
    await bringUp(parts, template, instance, context.signal);
  } catch (error) {
    if (context.signal.aborted) throw error;
    observer.provision(template.name, 'cold_start', 'failure', performance.now() - startedAt);
    observer.provisionFailed(template.name, error instanceof TryItNowError ? error.code : 'internal_error');
    await undo(parts, instance);
    throw error;
  }
  const durationMs = performance.now() - startedAt;
  observer.provision(template.name, 'cold_start', 'success', durationMs);
  log.info({ instance: instance.id, template: template.name, durationMs: Math.round(durationMs), attempt: context.attempt }, 'Instance ready');
}

async function bringUp(parts: ProvisionParts, template: Template, begun: Instance, signal: AbortSignal): Promise<void> {
  const { arrivals, runtime, probe, observer, address, node, proxyUrl } = parts;
  const phase = async <T>(name: 'container' | 'readiness' | 'warmup', work: () => Promise<T>): Promise<T> => {
    const startedAt = performance.now();
    const result = await work();
    observer.provisionPhase(template.name, name, performance.now() - startedAt);
    return result;
  };

  const instance = await arrivals.allocatePort(begun);
  const { port } = instance;
  if (port === null) throw new Error('an allocated port is never null');
  await phase('container', () => runtime.start({ name: instance.container, instanceId: instance.id, template, hostPort: port, env: {} }, signal));
  await arrivals.publishHostname(instance);
  await phase('readiness', () => probe.untilOk({ url: `http://${node.address}:${port}${template.readiness.path}`, timeoutMs: template.readiness.timeoutMs }, signal));
  await phase('warmup', async () => {
    // At least one request, so that nothing counts as ready that a visitor could not reach.
    const paths = template.warmup.length > 0 ? template.warmup : [template.readiness.path];
    for (const path of paths) {
      await probe.untilOk({ url: `${proxyUrl}${path}`, hostname: hostname(address, instance.label), timeoutMs: PROXY_GATE_MS }, signal);
    }
  });
  if (!(await arrivals.markReady(instance, template))) {
    throw new TryItNowError('conflicting_change', `instance ${instance.id} was taken away while it was being provisioned`);
  }
}

/** The ticket stays while the queue waits to try again, so that nobody plans a second instance in its place. */
async function undo(parts: ProvisionParts, instance: Instance): Promise<void> {
  const { arrivals, departures, observer, log } = parts;
  try {
    await arrivals.renewTicket(instance.template, instance.id);
    const outcome = await departures.release(instance, 'provision_failed', { from: ['warming'] });
    if (outcome.kind === 'unchanged') return;
    observer.release(instance.template, 'provision_failed');
    if (outcome.instance.node === parts.node.name) await takeDown(parts, outcome.instance);
    else queueCleanup(parts, outcome.instance);
  } catch (error) {
    log.warn({ instance: instance.id, reason: describeError(error) }, 'A failed provision could not be undone at once; the reaper will see to it');
  }
}
