import type { Environment } from '../../config/environment.ts';
import { TryItNowError } from '../../domain/errors.ts';
import { PoolEventBody, PoolEventsBody } from '../../http/admin/pool-event-routes.ts';
import { PoolsBody } from '../../http/admin/schemas.ts';
import { AdminClient } from '../admin-client.ts';
import { plainTable, printJson } from '../output.ts';
import type { JsonOptions } from './queue-commands.ts';
import { shortTime } from './text.ts';

export interface EventOptions extends JsonOptions {
  readonly from: string;
  readonly to: string;
  readonly target: number;
  readonly name?: string;
}

/** Of one template, or of all. */
export async function listEvents(env: Environment, template: string | undefined, { json }: JsonOptions): Promise<void> {
  const client = new AdminClient(env);
  const names =
    template === undefined
      ? (await client.ask(PoolsBody, 'GET', '/pools')).pools.map((pool) => pool.template)
      : [template];
  const events = [];
  for (const name of names)
    for (const event of (await client.ask(PoolEventsBody, 'GET', path(name))).events)
      events.push({ template: name, ...event });
  if (json === true) {
    printJson({ events });
    return;
  }
  if (events.length === 0) {
    console.log('No event is to come.');
    return;
  }
  const table = plainTable(['TEMPLATE', 'NAME', 'FROM (UTC)', 'TO (UTC)', 'TARGET']);
  for (const { template: of, name, from, to, target } of events)
    table.push([of, name, shortTime(from), shortTime(to), target]);
  console.log(table.toString());
}

export async function addEvent(env: Environment, template: string, options: EventOptions): Promise<void> {
  const [from, to] = [timeOf('--from', options.from), timeOf('--to', options.to)];
  const name = options.name ?? from.slice(0, 16);
  const event = await new AdminClient(env).ask(PoolEventBody, 'PUT', path(template, name), {
    ...{ from, to, target: options.target },
  });
  if (options.json === true) printJson(event);
  else
    console.log(
      `${template}: ${event.target} stand ready from ${shortTime(event.from)} to ${shortTime(event.to)} UTC ` +
        `(\`try-it-now pool event remove ${template} ${event.name}\` takes that back)`,
    );
}

export async function removeEvent(env: Environment, template: string, name: string): Promise<void> {
  await new AdminClient(env).send('DELETE', path(template, name));
  console.log(`${template}: the event ${name} is forgotten.`);
}

function path(template: string, name?: string): string {
  const events = `/pools/${encodeURIComponent(template)}/events`;
  return name === undefined ? events : `${events}/${encodeURIComponent(name)}`;
}

/** In UTC, of a time with its zone, or without one as on this machine. */
function timeOf(option: string, text: string): string {
  const iso = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2})?$/.test(text);
  const ms = iso ? Date.parse(text.replace(' ', 'T')) : Number.NaN;
  if (!Number.isNaN(ms)) return new Date(ms).toISOString();
  throw new TryItNowError(
    'invalid_request',
    `${option} is ${JSON.stringify(text.slice(0, 64))}; it must be a time such as 2027-03-01T09:00, ` +
      'in the time zone of this machine, or with one: 2027-03-01T09:00+01:00',
  );
}
