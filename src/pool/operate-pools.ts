import { TryItNowError } from '../domain/errors.ts';
import type { Catalogue, Template } from '../domain/template.ts';
import type { BreakerReading, Breakers, PoolControl, PoolControls } from './operator-ports.ts';
import type { Census, PoolStats } from './ports.ts';

export interface OperatePoolsParts {
  readonly catalogue: Catalogue;
  readonly census: Pick<Census, 'stats'>;
  readonly controls: PoolControls;
  readonly breakers: Breakers;
  /** Called when more may have to be prepared. */
  readonly onDemand: () => void;
}

/** One pool as an operator sees it. While it is drained, `assigned` is how many are still to end. */
export interface PoolReading extends PoolControl {
  readonly template: string;
  readonly stats: PoolStats;
  readonly configuredTarget: number;
  readonly breaker: BreakerReading;
}

/** Throws store_unavailable. */
export async function readPools(parts: OperatePoolsParts): Promise<readonly PoolReading[]> {
  return readings(parts, parts.catalogue.all());
}

/** Nothing is handed out any more; stock stays warm, and visitors keep what they have. Throws unknown_template. */
export async function pausePool(
  parts: OperatePoolsParts,
  name: string,
  reason: string | undefined,
): Promise<PoolReading> {
  return change(parts, name, () => parts.controls.pause(name, reason));
}

/** As a pause, and the stock goes. Without `withinMs` what visitors hold runs out by itself. Throws unknown_template. */
export async function drainPool(
  parts: OperatePoolsParts,
  name: string,
  withinMs: number | undefined,
  reason: string | undefined,
): Promise<PoolReading> {
  return change(parts, name, () => parts.controls.drain(name, withinMs, reason));
}

/** Open again; the target stays as it was set. Throws unknown_template. */
export async function resumePool(parts: OperatePoolsParts, name: string): Promise<PoolReading> {
  return change(parts, name, () => parts.controls.resume(name));
}

/** Undefined: as configured. Stock above a lower target is handed out, not thrown away. Throws unknown_template, invalid_request. */
export async function setPoolTarget(
  parts: OperatePoolsParts,
  name: string,
  target: number | undefined,
): Promise<PoolReading> {
  const { pool } = known(parts, name);
  if (target !== undefined && target > pool.max) {
    const message = `must be <= ${pool.max}, since no more instances of "${name}" may exist at once`;
    throw new TryItNowError(
      'invalid_request',
      `The target ${target} ${message}; raise the template's pool.max and restart for more`,
      { details: { errors: [{ pointer: '/target', message }] } },
    );
  }
  return change(parts, name, () => parts.controls.setTarget(name, target));
}

async function change(parts: OperatePoolsParts, name: string, work: () => Promise<unknown>): Promise<PoolReading> {
  const template = known(parts, name);
  await work();
  parts.onDemand();
  const [reading] = await readings(parts, [template]);
  if (reading === undefined) throw unknownTemplate(name);
  return reading;
}

function known({ catalogue }: OperatePoolsParts, name: string): Template {
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

async function readings(
  { census, controls, breakers }: OperatePoolsParts,
  templates: readonly Template[],
): Promise<readonly PoolReading[]> {
  const names = templates.map(({ name }) => name);
  const [stats, decided, failing] = await Promise.all([
    census.stats(templates),
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
