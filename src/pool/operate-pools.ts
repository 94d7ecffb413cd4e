import { TryItNowError } from '../domain/errors.ts';
import type { Clock } from '../domain/clock.ts';
import { describeSize } from '../domain/describe-size.ts';
import type { Autosize, PoolSize } from '../domain/pool-size.ts';
import type { Catalogue, Template } from '../domain/template.ts';
import type { BreakerStatus, Breakers } from './interfaces/breakers.ts';
import type { FailureReport } from '../domain/failure-report.ts';
import type { FailureLog } from './interfaces/failure-log.ts';
import type { PoolControl, PoolControls } from './interfaces/pool-controls.ts';
import type { PoolSizes } from './interfaces/pool-sizes.ts';
import { knownTemplate, unknownTemplate } from './known-template.ts';
import type { Inventory, PoolStats } from './interfaces/inventory.ts';

export interface OperatePoolsDeps {
  readonly catalogue: Catalogue;
  readonly poolSizes: Pick<PoolSizes, 'read'>;
  readonly clock: Clock;
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
  /** Of one that sizes itself, once that was decided. */
  readonly size: (PoolSize & { readonly why: string }) | undefined;
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
  const template = knownTemplate(deps, name).name;
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
 * Undefined: as configured. `forMs`: only for so long. Idle instances above a lower target are handed out, not
 * discarded. Throws unknown_template, invalid_request.
 */
export async function setPoolTarget(
  deps: OperatePoolsDeps,
  name: string,
  target: number | undefined,
  forMs?: number,
): Promise<PoolSnapshot> {
  const { pool } = knownTemplate(deps, name);
  if (target !== undefined && target > pool.max) {
    const message = `must be <= ${pool.max}, since no more instances of "${name}" may exist at once`;
    throw new TryItNowError(
      'invalid_request',
      `The target ${target} ${message}; raise the template's pool.max and reload the templates for more`,
      { details: { errors: [{ pointer: '/target', message }] } },
    );
  }
  const untilMs = forMs === undefined ? undefined : deps.clock.now() + forMs;
  return change(deps, name, () => deps.controls.setTarget(name, target, untilMs));
}

async function change(deps: OperatePoolsDeps, name: string, work: () => Promise<unknown>): Promise<PoolSnapshot> {
  const template = knownTemplate(deps, name);
  await work();
  deps.requestRefill();
  const [reading] = await snapshots(deps, [template]);
  if (reading === undefined) throw unknownTemplate(name);
  return reading;
}

async function snapshots(
  { inventory, controls, breakers, poolSizes }: OperatePoolsDeps,
  templates: readonly Template[],
): Promise<readonly PoolSnapshot[]> {
  const names = templates.map(({ name }) => name);
  const [stats, decided, failing, sizes] = await Promise.all([
    inventory.stats(templates),
    controls.read(names),
    breakers.read(names),
    poolSizes.read(names),
  ]);
  return templates.flatMap(({ name, pool }) => {
    const [counts, control, breaker] = [stats.get(name), decided.get(name), failing.get(name)];
    return counts === undefined || control === undefined || breaker === undefined
      ? []
      : [
          {
            ...{ ...control, template: name, stats: counts, configuredTarget: pool.target, breaker },
            size: explained(sizes.get(name), pool.autosize),
          },
        ];
  });
}

function explained(size: PoolSize | undefined, autosize: Autosize | undefined): PoolSnapshot['size'] {
  return size === undefined || autosize === undefined ? undefined : { ...size, why: describeSize(size, autosize) };
}
