import type { Static } from 'typebox';
import type { Environment } from '../../config/environment.ts';
import { ParseError, duration, type Parser } from '../../config/parsers.ts';
import { TryItNowError } from '../../domain/errors.ts';
import { FailuresBody, PoolBody, PoolsBody } from '../../http/admin/schemas.ts';
import { AdminClient } from '../admin-client.ts';
import { confirmed } from '../confirmed.ts';
import { plainTable, printJson } from '../output.ts';
import { waitUntilEmpty } from './drain-progress.ts';
import { distance, stripControlCharacters, shortTime } from './text.ts';

type Pool = Static<typeof PoolBody>;

const WITHIN = duration('0s', '30d', '10m');
const FOR = duration('1m', '30d', '2h');

export interface PoolOptions {
  readonly json?: true;
  readonly all?: true;
  readonly reason?: string;
  readonly within?: string;
  readonly for?: string;
  readonly wait?: true;
  readonly yes?: true;
}

export async function stats(env: Environment, { json }: PoolOptions): Promise<void> {
  const answer = await new AdminClient(env).ask(PoolsBody, 'GET', '/pools');
  if (json === true) printJson(answer);
  else print(answer.pools);
}

/** Each with the end of what its app wrote: hostile code may have written it, so nothing in it steers a terminal. */
export async function failures(env: Environment, template: string, { json }: PoolOptions): Promise<void> {
  const answer = await new AdminClient(env).ask(FailuresBody, 'GET', path(template, 'failures'));
  if (json === true) {
    printJson(answer);
    return;
  }
  if (answer.unready !== null) console.log('One is being started, and is not ready so far:');
  else if (answer.failures.length === 0) console.log(`No attempt at an instance of ${template} has failed lately.`);
  const told = answer.unready === null ? answer.failures : [answer.unready, ...answer.failures];
  for (const { at, instance, code, reason, remedy, output } of told) {
    console.log(`${shortTime(at)}  ${instance}  ${code}`);
    console.log(`  ${stripControlCharacters(reason)}.`);
    console.log(`  ${stripControlCharacters(remedy)}.`);
    if (output !== '') console.log(stripControlCharacters(output, 'lines').replace(/^/gm, '  | '));
  }
}

export async function pause(env: Environment, template: string | undefined, options: PoolOptions): Promise<void> {
  await change(env, template, options, (client, name) =>
    client.ask(PoolBody, 'POST', path(name, 'pause'), reasonOf(options)),
  );
}

export async function resume(env: Environment, template: string | undefined, options: PoolOptions): Promise<void> {
  await change(env, template, options, (client, name) => client.ask(PoolBody, 'POST', path(name, 'resume'), {}));
}

/** With `wait` it returns when nobody holds an instance any more, or at a signal, which leaves the drain on. */
export async function drain(env: Environment, template: string | undefined, options: PoolOptions): Promise<void> {
  const within = options.within === undefined ? {} : { within_seconds: secondsOf('--within', WITHIN, options.within) };
  const question = `End what visitors of ${template ?? 'every template'} still hold after ${options.within ?? ''}?`;
  if (options.within !== undefined && options.yes !== true && !(await confirmed(question))) {
    console.log('Nothing was changed.');
    return;
  }
  const begin = (client: AdminClient, name: string) =>
    client.ask(PoolBody, 'POST', path(name, 'drain'), { ...within, ...reasonOf(options) });
  if (options.wait !== true) {
    await change(env, template, options, begin);
    return;
  }
  const client = new AdminClient(env);
  const names = await named(client, template, options);
  for (const name of names) await begin(client, name);
  const pools = await waitUntilEmpty(client, names);
  if (options.json === true) printJson({ pools });
  else print(pools);
}

export async function scale(env: Environment, template: string, target: string, options: PoolOptions): Promise<void> {
  if (target !== 'configured' && !/^\d{1,5}$/.test(target))
    throw new TryItNowError(
      'invalid_request',
      `The target is ${JSON.stringify(target)}; it must be a whole number, or \`configured\` for what the ` +
        'configuration says',
    );
  const span = options.for === undefined ? {} : { for_seconds: secondsOf('--for', FOR, options.for) };
  await change(env, template, options, (client, name) =>
    client.ask(PoolBody, 'PUT', path(name, 'target'), {
      ...span,
      target: target === 'configured' ? null : Number(target),
    }),
  );
}

function path(template: string, action: string): string {
  return `/pools/${encodeURIComponent(template)}/${action}`;
}

function reasonOf({ reason }: PoolOptions): object {
  return reason === undefined ? {} : { reason };
}

function secondsOf(option: string, kind: Parser<number>, text: string): number {
  const value = kind.parse(text);
  if (value instanceof ParseError)
    throw new TryItNowError('invalid_request', `${option} is ${JSON.stringify(text)}; it must be ${kind.expects}`);
  return Math.ceil(value / 1000);
}

async function named(
  client: AdminClient,
  template: string | undefined,
  { all }: PoolOptions,
): Promise<readonly string[]> {
  if (template !== undefined && all === true)
    throw new TryItNowError('invalid_request', 'A template and --all are both given; leave one of them out');
  if (template !== undefined) return [template];
  if (all !== true)
    throw new TryItNowError('invalid_request', 'Say which template, or --all; `try-it-now pool stats` lists them');
  return (await client.ask(PoolsBody, 'GET', '/pools')).pools.map(({ template: name }) => name);
}

async function change(
  env: Environment,
  template: string | undefined,
  options: PoolOptions,
  work: (client: AdminClient, name: string) => Promise<Pool>,
): Promise<void> {
  const client = new AdminClient(env);
  const pools: Pool[] = [];
  for (const name of await named(client, template, options)) pools.push(await work(client, name));
  if (options.json === true) printJson({ pools });
  else print(pools);
}

function print(pools: readonly Pool[]): void {
  const table = plainTable(['TEMPLATE', 'MODE', 'READY', 'TARGET', 'WARMING', 'ASSIGNED', 'LEAVING', 'WAITING', 'MAX']);
  for (const { template, mode, ready, target, warming, assigned, leaving, waiting, capacity } of pools)
    table.push([template, mode, ready, target, warming, assigned, leaving, waiting, capacity]);
  console.log(table.toString());
  for (const pool of pools) for (const line of remarks(pool)) console.log(`${pool.template}: ${line}`);
}

function remarks({
  mode,
  since,
  deadline,
  reason,
  assigned,
  configured_target: configured,
  operator_target: wished,
  operator_target_until: until,
  size,
  breaker,
}: Pool): string[] {
  const lines: string[] = [];
  if (since !== null)
    lines.push(
      `${mode === 'paused' ? 'paused' : 'draining'} since ` +
        `${shortTime(since)}${reason === null ? '' : `, "${stripControlCharacters(reason)}"`}`,
    );
  if (mode === 'draining' && assigned > 0) {
    const left = assigned === 1 ? '1 visitor is' : `${assigned} visitors are`;
    const until =
      deadline === null
        ? 'until their time is up'
        : Date.parse(deadline) > Date.now()
          ? `for ${distance(deadline)} at most`
          : 'for a moment more';
    lines.push(`${left} left, ${until}`);
  }
  if (wished !== null)
    lines.push(
      `an operator set the target to ${wished}${until === null ? '' : `, for ${distance(until)} more`}; ` +
        (size === null ? `the configuration says ${configured}` : `the pool itself would have ${size.target}`),
    );
  else if (size !== null) lines.push(`sizes itself: ${stripControlCharacters(size.why)}`);
  if (breaker.open)
    lines.push(
      `${breaker.failures} provisions failed in a row; the next try ` +
        `${breaker.retry_in_seconds === 0 ? 'is under way' : `comes in ${breaker.retry_in_seconds} s`}. See the ` +
        'log, and: try-it-now queue dead',
    );
  return lines;
}
