import { randomBytes } from 'node:crypto';
import { hostname, instanceUrl, publicOrigin, type PublicAddress } from '../domain/address.ts';
import { systemClock, type Clock } from '../domain/clock.ts';
import { newHostLabel, newInstanceId } from '../domain/ids.ts';
import type { TemplateChange } from '../domain/template-change.ts';
import type { Template } from '../domain/template.ts';
import { activate, instanceValues, type CallDeps, type Identity, type Reach } from './activate.ts';
import { ContainerEnds } from './container-ends.ts';
import { OUTPUT_LINES, diagnose, printable } from './diagnose.ts';
import { untilReady } from './readiness.ts';
import { unlessSettled } from './unless-settled.ts';
import { whileRunning } from './while-running.ts';

export interface TrialDeps extends CallDeps {
  readonly node: { readonly name: string; readonly address: string };
  /** A free host port outside the pool's range. */
  readonly freePort: () => Promise<number>;
  readonly clock?: Clock;
}

export interface ReadyTrial {
  readonly kind: 'ready';
  /** Still running: the caller removes it. */
  readonly container: string;
  /** Where a browser on this host opens it, its landing path included. */
  readonly url: string;
  readonly readyMs: number;
  /** What its processes take now; undefined where the engine does not tell. */
  readonly memoryBytes: number | undefined;
  /** How many users its processes run as; undefined where the engine does not tell. */
  readonly users: number | undefined;
  /** The end of what it wrote. */
  readonly output: string;
}

export interface FailedTrial {
  readonly kind: 'failed';
  readonly reason: string;
  readonly remedy: string;
  /** The end of what it wrote. */
  readonly output: string;
  /** What could be tried next; undefined where a person has to decide. */
  readonly change: TemplateChange | undefined;
}

export type Trial = ReadyTrial | FailedTrial;

/** Should we be killed, the next trial removes it once this is over: until then another one may be at it. */
const KEEP_MS = 4 * 60 * 60_000;
const SEED_BYTES = 32;

/** A name for a container that no record knows. */
export function newTrialContainer(): string {
  return `demo-trial-${randomBytes(6).toString('hex')}`;
}

/**
 * Starts the template's app once and looks at it as a visitor would: readiness, activation, landing page. It is opened
 * at its published port, under a name of its own below `localhost`. Throws what is no fault of the app, such as
 * engine_unavailable and image_missing. Nothing is left then, nor of a trial that failed, unless the engine cannot
 * remove it: so the caller knows the container's name beforehand.
 */
export async function tryTemplate(
  deps: TrialDeps,
  template: Template,
  container: string,
  signal: AbortSignal,
): Promise<Trial> {
  const { runtime, node, clock = systemClock } = deps;
  const hostPort = await deps.freePort();
  const { reach, identity } = newcomer(container, node.address, hostPort);
  const values = instanceValues(identity);
  const keepUntilMs = clock.now() + KEEP_MS;
  const startedAt = performance.now();
  try {
    const spec = { name: container, instanceId: undefined, template, hostPort, env: {}, values, keepUntilMs };
    await runtime.start(spec, signal);
    const containerEnds = new ContainerEnds();
    const visited = (running: AbortSignal): Promise<void> => visit(deps, template, reach, identity, running);
    await whileRunning({ runtime, containerEnds }, container, visited, signal);
    const readyMs = performance.now() - startedAt;
    const inside = await runtime.inside(container);
    return {
      kind: 'ready',
      container,
      url: new URL(template.open, identity.url).href,
      readyMs,
      memoryBytes: inside?.memoryBytes,
      users: inside?.users?.length,
      output: printable(await runtime.logs(container, OUTPUT_LINES)),
    };
  } catch (error) {
    const attempt = { template, instance: identity.instanceId, container, node: node.name, atMs: clock.now() };
    const { report, change, ofTheApp } = await diagnose(deps, attempt, error);
    await runtime.remove(container);
    signal.throwIfAborted();
    if (!ofTheApp) throw error;
    return { kind: 'failed', reason: report.reason, remedy: report.remedy, output: report.output, change };
  }
}

/** Under a name that browsers on this host find. */
function newcomer(
  container: string,
  nodeAddress: string,
  port: number,
): { readonly reach: Reach; readonly identity: Identity } {
  const address: PublicAddress = { scheme: 'http', baseDomain: 'localhost', port };
  const label = newHostLabel();
  return {
    reach: {
      container,
      origin: `http://${nodeAddress}:${port}`,
      upstream: { address: nodeAddress, port },
      visitor: publicOrigin(address, label),
    },
    identity: {
      instanceId: newInstanceId(),
      hostname: hostname(address, label),
      url: instanceUrl(address, label),
      seed: randomBytes(SEED_BYTES).toString('hex'),
      database: undefined,
    },
  };
}

/** What a visitor's instance goes through, but at the app's own port: there is no proxy in a trial. */
async function visit(
  deps: TrialDeps,
  template: Template,
  reach: Reach,
  identity: Identity,
  signal: AbortSignal,
): Promise<void> {
  const { readiness, open, warmup, port: innerPort } = template;
  await unlessSettled(
    deps,
    template,
    reach,
    (either) => untilReady(deps, readiness, reach, readiness.timeoutMs, either),
    signal,
  );
  await activate(deps, template, reach, identity, signal);
  const { requestTimeoutMs } = readiness;
  const orStatuses = readiness.kind === 'http' ? readiness.statuses : undefined;
  for (const path of new Set([open, ...warmup])) {
    const target = { url: `${reach.origin}${path}`, visitor: reach.visitor, innerPort, orStatuses, requestTimeoutMs };
    await deps.probe.untilOk({ ...target, timeoutMs: requestTimeoutMs }, signal);
  }
}
