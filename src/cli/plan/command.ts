import type { Environment } from '../../config/environment.ts';
import { loadConfig } from '../../config/load.ts';
import { COVER } from '../../config/autosize-section.ts';
import { ParseError, duration, integer, size, type Parser } from '../../config/parsers.ts';
import { TryItNowError } from '../../domain/errors.ts';
import { planPool, type PoolPlan } from '../../domain/plan-pool.ts';
import { containerTemplates, type Template } from '../../domain/template.ts';
import { plainTable, printJson } from '../output.ts';

export interface PlanOptions {
  readonly arrivals: string;
  readonly start: string;
  readonly stay?: string;
  readonly template?: string;
  readonly memory?: string;
  readonly cover?: string;
  readonly max?: string;
  readonly json?: true;
}

const UNIT_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };
const RATE: Parser<number> = {
  type: 'rate',
  expects: 'a number of clicks per minute, hour or day, such as 3/m, 40/h or 200/d',
  parse: (text) => {
    const [, count = '', unit = ''] = /^(\d{1,6}(?:\.\d{1,3})?)\/(m|h|d)$/.exec(text) ?? [];
    const rate = Number(count) / (UNIT_MS[unit] ?? Number.NaN);
    return rate > 0 ? rate : new ParseError();
  },
};
const STAY = duration('1s', '7d', '15m');
const START = duration('1ms', '1h', '8s');
const MEMORY = size('1MiB', '1024GiB', '256MiB');
const MAX = integer(1, 10_000, 20);

export async function plan(env: Environment, options: PlanOptions): Promise<void> {
  const template = options.template === undefined ? undefined : templateOf(env, options.template);
  const clicksPerMs = given('--arrivals', RATE, options.arrivals);
  const startMs = given('--start', START, options.start);
  const stayMs = options.stay === undefined ? template?.ttl.defaultMs : given('--stay', STAY, options.stay);
  if (stayMs === undefined)
    throw new TryItNowError('invalid_request', 'Say how long visitors stay: --stay 15m, or --template for its ttl');
  const bytes = options.memory === undefined ? memoryOf(template) : given('--memory', MEMORY, options.memory);
  const found = planPool({
    ...{ clicksPerMs, stayMs, startMs },
    cover:
      options.cover === undefined ? (template?.pool.autosize?.cover ?? 0.95) : given('--cover', COVER, options.cover),
    most: options.max === undefined ? template?.pool.max : given('--max', MAX, options.max),
  });
  if (options.json === true) printJson({ ...found, memory_bytes: bytes === undefined ? null : bytes * found.max });
  else print(found, bytes);
  return Promise.resolve();
}

function print({ held, stock, ready, max, visits, allHeld, waiting }: PoolPlan, bytes: number | undefined): void {
  console.log(`Visitors hold ${round(held)} instances on average. Ready ones, and who finds one:`);
  const table = plainTable(['READY', 'SERVED AT ONCE', 'THE OTHERS WAIT', 'MEMORY']);
  for (const odds of stock)
    table.push([
      `${odds.ready}${odds.ready === ready ? '  <' : ''}`,
      percent(odds.served),
      seconds(odds.waitMs),
      memory(bytes, odds.ready),
    ]);
  console.log(table.toString());
  const taken = bytes === undefined ? '' : `; all of them take ${memory(bytes, max)}`;
  if (visits === 0) {
    console.log(
      `pool.max ${max} leaves nothing for visitors beside the ${ready} that have to be ready${taken}. Raise it by ` +
        'as many as visitors hold.',
    );
    return;
  }
  console.log(`pool.max ${max} leaves ${visits} for visitors${taken}.`);
  console.log(`All are held for ${percent(allHeld)} of the clicks, if who finds none leaves (Erlang B).`);
  console.log(
    waiting === undefined
      ? 'If they wait, the line grows without end: more come than leave. Raise pool.max, or shorten the stay.'
      : `If they wait, ${percent(waiting.share)} do, for ${seconds(waiting.waitMs)} on average (Erlang C).`,
  );
}

/** Throws invalid_config, unknown_template. */
function templateOf(env: Environment, name: string): Template {
  const template = loadConfig(env).config.templates.find((each) => each.name === name);
  if (template !== undefined) return template;
  throw new TryItNowError(
    'unknown_template',
    `The catalogue has no template named ${JSON.stringify(name.slice(0, 64))}`,
  );
}

function memoryOf(template: Template | undefined): number | undefined {
  if (template === undefined) return undefined;
  return containerTemplates(template).reduce((sum, { limits }) => sum + limits.memoryBytes, 0);
}

function given<T>(option: string, parser: Parser<T>, text: string): T {
  const value = parser.parse(text);
  if (!(value instanceof ParseError)) return value;
  const why = value.why === undefined ? '' : ` (${value.why})`;
  throw new TryItNowError(
    'invalid_request',
    `${option} is ${JSON.stringify(text.slice(0, 64))}${why}; it must be ${parser.expects}`,
  );
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function seconds(ms: number): string {
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  return ms < 120_000 ? `${Math.round(ms / 1_000)} s` : `${Math.round(ms / 60_000)} min`;
}

function memory(bytes: number | undefined, count: number): string {
  if (bytes === undefined) return '-';
  const mib = (bytes * count) / 2 ** 20;
  return mib < 1_024 ? `${Math.round(mib)} MiB` : `${(mib / 1_024).toFixed(1)} GiB`;
}

function round(value: number): string {
  return value < 10 ? value.toFixed(1) : String(Math.round(value));
}
