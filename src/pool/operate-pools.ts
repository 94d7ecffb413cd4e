import { TryItNowError } from '../domain/errors.ts';
import type { Catalogue, Template } from '../domain/template.ts';
import type { BreakerStatus, Breakers } from './interfaces/breakers.ts';
import type { FailureReport } from '../domain/failure-report.ts';
import type { FailureLog } from './interfaces/failure-log.ts';
import type { PoolControl, PoolControls } from './interfaces/pool-controls.ts';
import type { Inventory, PoolStats } from './interfaces/inventory.ts';

export interface OperatePoolsDeps {
  readonly catalogue: Catalogue;
  readonly inventory: Pick<Inventory, 'stats'>;
  readonly controls: PoolControls;
  readonly breakers: Breakers;
  readonly failureLog: Pick<FailureLog, 'recent' | 'unready'>;
  /** Called when more may have to be prepared. */
  readonly requestRefill: () => void;
}

/** One pool as an operator sees it. While it is drained, `assigned` is how many are still to end. */
export interface PoolSnapshot extends PoolControl {
  readonly template: string;
  readonly stats: PoolStats;
  readonly configuredTarget: number;
  readonly breaker: BreakerStatus;
}

/** Throws store_unavailable. */
export async function listPools(deps: OperatePoolsDeps): Promise<readonly PoolSnapshot[]> {
  return snapshots(deps, deps.catalogue.all());
}

/** Why the last attempts at an instance failed, the newest first. Throws unknown_template. */
export async function listFailures(
  deps: Pick<OperatePoolsDeps, 'catalogue' | 'failureLog'>,
  name: string,
): Promise<{ readonly failures: readonly FailureReport[]; readonly unready: FailureReport | undefined }> {
  const template = known(deps, name).name;
  const [failures, unready] = await Promise.all([deps.failureLog.recent(template), deps.failureLog.unready(template)]);
  return { failures, unready };
}

/**
 * Nothing is handed out any more; idle instances stay warm, and visitors keep what they have. Throws unknown_template.
 */
export async function pausePool(
  deps: OperatePoolsDeps,
  name: string,
  reason: string | undefined,
): Promise<PoolSnapshot> {
  return change(deps, name, () => deps.controls.pause(name, reason));
}

/**
 * As a pause, and the idle instances are removed. Without `withinMs` what visitors hold runs
 * out by itself. Throws unknown_template.
 */
export async function drainPool(
  deps: OperatePoolsDeps,
  name: string,
  withinMs: number | undefined,
  reason: string | undefined,
): Promise<PoolSnapshot> {
  return change(deps, name, () => deps.controls.drain(name, withinMs, reason));
}

/** Open again; the target stays as it was set. Throws unknown_template. */
export async function resumePool(deps: OperatePoolsDeps, name: string): Promise<PoolSnapshot> {
  return change(deps, name, () => deps.controls.resume(name));
}

/**
 * Undefined: as configured. Idle instances above a lower target are handed out, not discarded. Throws unknown_template,
 * invalid_request.
 */
export async function setPoolTarget(
  deps: OperatePoolsDeps,
  name: string,
  target: number | undefined,
): Promise<PoolSnapshot> {
  const { pool } = known(deps, name);
  if (target !== undefined && target > pool.max) {
    const message = `must be <= ${pool.max}, since no more instances of "${name}" may exist at once`;
    throw new TryItNowError(
      'invalid_request',
      `The target ${target} ${message}; raise the template's pool.max and restart for more`,
      { details: { errors: [{ pointer: '/target', message }] } },
    );
  }
  return change(deps, name, () => deps.controls.setTarget(name, target));
}

async function change(deps: OperatePoolsDeps, name: string, work: () => Promise<unknown>): Promise<PoolSnapshot> {
  const template = known(deps, name);
  await work();
  deps.requestRefill();
  const [reading] = await snapshots(deps, [template]);
  if (reading === undefined) throw unknownTemplate(name);
  return reading;
}

function known({ catalogue }: Pick<OperatePoolsDeps, 'catalogue'>, name: string): Template {
  const template = catalogue.get(name);
  if (template === undefined) throw unknownTemplate(name);
  return template;
}

function unknownTemplate(name: string): TryItNowError {
  return new TryItNowError(
    'unknown_template',
    `There is no template named ${JSON.stringify(name.slice(0, 64))}; \`try-it-now pool stats\` lists those there are`,
  );
}

async function snapshots(
  { inventory, controls, breakers }: OperatePoolsDeps,
  templates: readonly Template[],
): Promise<readonly PoolSnapshot[]> {
  const names = templates.map(({ name }) => name);
  const [stats, decided, failing] = await Promise.all([
    inventory.stats(templates),
    controls.read(names),
    breakers.read(names),
  ]);
  return templates.flatMap(({ name, pool }) => {
    const [counts, control, breaker] = [stats.get(name), decided.get(name), failing.get(name)];
    return counts === undefined || control === undefined || breaker === undefined
      ? []
      : [{ ...control, template: name, stats: counts, configuredTarget: pool.target, breaker }];
  });
}
