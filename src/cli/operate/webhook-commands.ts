import { ParseError, duration } from '../../config/parsers.ts';
import type { Environment } from '../../config/environment.ts';
import { TryItNowError } from '../../domain/errors.ts';
import { isOutboxLate } from '../../domain/outbox-delay.ts';
import { DeadEventsBody, WebhookTestBody, WebhooksBody } from '../../http/admin/schemas.ts';
import { JobBody } from '../../http/admin/job-routes.ts';
import { AdminClient } from '../admin-client.ts';
import { plainTable, printJson } from '../output.ts';
import { followJob } from './follow-job.ts';
import type { JsonOptions, LimitOptions } from './queue-commands.ts';
import { distance, stripControlCharacters } from './text.ts';

export interface ReplayOptions extends JsonOptions {
  readonly dead?: true;
  readonly within?: string;
}

/** As long as events are kept. */
const WITHIN = duration('1s', '7d', '2h');

const ago = (iso: string | null): string => (iso === null ? 'never' : `${distance(iso)} ago`);

export async function list(env: Environment, { json }: JsonOptions): Promise<void> {
  const answer = await new AdminClient(env).ask(WebhooksBody, 'GET', '/webhooks');
  if (json === true) {
    printJson(answer);
    return;
  }
  const { webhooks, outbox } = answer;
  if (webhooks.length === 0) {
    console.log('No webhook is configured; docs/webhooks.md says how.');
    return;
  }
  const table = plainTable(['WEBHOOK', 'WAITING', 'DEAD', 'LOST', 'DELIVERED', 'FAILED', 'IN A ROW']);
  for (const each of webhooks)
    table.push([
      each.name,
      each.pending ?? '-',
      each.dead,
      each.lost,
      ago(each.delivered_at),
      ago(each.failed_at),
      each.failures_in_a_row,
    ]);
  console.log(table.toString());
  for (const { name, origin, failures_in_a_row: failures, failure } of webhooks)
    if (failures > 0) console.log(`${name} at ${origin}: ${stripControlCharacters(failure ?? '?')}`);
  for (const { name, lost, lost_at: lostAt } of webhooks)
    if (lost > 0)
      console.log(`${name} never hears of ${lost} events, discarded before it had them; the last ${ago(lostAt)}.`);
  if (outbox.oldest_at !== null && isOutboxLate(Date.parse(outbox.oldest_at), Date.now()))
    console.log(`${outbox.waiting} changes of visits wait for NATS, the oldest ${ago(outbox.oldest_at)}.`);
  if (outbox.dropped > 0) console.log(`${outbox.dropped} events were dropped: NATS was away for too long.`);
}

export async function dead(env: Environment, { json, limit }: LimitOptions): Promise<void> {
  const answer = await new AdminClient(env).ask(DeadEventsBody, 'GET', `/webhooks/dead?limit=${limit}`);
  if (json === true) {
    printJson(answer);
    return;
  }
  if (answer.dead.length === 0) {
    console.log('No event is dead.');
    return;
  }
  const table = plainTable(['WEBHOOK', 'TYPE', 'VISIT', 'TRIES', 'DIED']);
  for (const { webhook, type, visit, attempts, died_at: died } of answer.dead)
    table.push([webhook, type ?? 'unreadable', visit ?? '', attempts, ago(died)]);
  console.log(table.toString());
  const reasons = new Set(answer.dead.map(({ webhook, reason }) => `${webhook}: ${stripControlCharacters(reason)}`));
  for (const reason of reasons) console.log(reason);
}

export async function test(env: Environment, webhook: string, { json }: JsonOptions): Promise<void> {
  const path = `/webhooks/${encodeURIComponent(webhook)}/test`;
  const answer = await new AdminClient(env).ask(WebhookTestBody, 'POST', path, {});
  if (json === true) printJson(answer);
  else if (answer.taken) console.log(`${webhook} took it with ${answer.status ?? '?'} after ${answer.took_ms} ms.`);
  else console.log(`${webhook} did not take it: ${stripControlCharacters(answer.reason ?? '?')}`);
  if (!answer.taken) process.exitCode = 1;
}

export async function replay(env: Environment, webhook: string, options: ReplayOptions): Promise<void> {
  const { json, dead: deadOnes, within } = options;
  if ((deadOnes === true) === (within !== undefined))
    throw new TryItNowError('invalid_request', 'Say what: --dead, or --within with a time such as 2h');
  const withinMs = within === undefined ? undefined : WITHIN.parse(within);
  if (withinMs instanceof ParseError)
    throw new TryItNowError('invalid_request', `--within is ${JSON.stringify(within)}; it must be ${WITHIN.expects}`);
  const client = new AdminClient(env);
  const begun = await client.ask(
    JobBody,
    'POST',
    `/webhooks/${encodeURIComponent(webhook)}/replay`,
    withinMs === undefined ? {} : { within_seconds: Math.ceil(withinMs / 1_000) },
  );
  const job = await followJob(client, begun);
  if (json === true) printJson(job);
  else console.log(`${stripControlCharacters(job.said)}.`);
  if (job.state === 'failed') process.exitCode = 1;
}
