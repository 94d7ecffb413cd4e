import type { Environment } from '../../config/environment.ts';
import { TryItNowError } from '../../domain/errors.ts';
import {
  DeadBody,
  DeadTaskBody,
  PurgedBody,
  QueueBody,
  RetriedBody,
  TaskBody,
  TasksBody,
} from '../../http/admin/schemas.ts';
import { AdminClient } from '../admin-client.ts';
import { confirmed } from '../confirmed.ts';
import { plainTable, printJson } from '../output.ts';
import { distance, stripControlCharacters } from './text.ts';

export interface JsonOptions {
  readonly json?: true;
}

export interface LimitOptions extends JsonOptions {
  readonly limit: number;
}

const WHAT = { provision: 'all provision tasks', cleanup: 'all cleanup tasks', dead: 'all dead tasks' } as const;

export async function info(env: Environment, { json }: JsonOptions): Promise<void> {
  const answer = await new AdminClient(env).ask(QueueBody, 'GET', '/queue');
  if (json === true) {
    printJson(answer);
    return;
  }
  const { stream, consumers, dead } = answer;
  const table = plainTable(['CONSUMER', 'PENDING', 'IN FLIGHT', 'REDELIVERED', 'REQUESTS WAITING']);
  for (const { name, pending, in_flight: inFlight, redelivered, waiting_pulls: pulls } of consumers)
    table.push([name, pending, inFlight, redelivered, pulls]);
  console.log(table.toString());
  const oldest = stream.oldest_at === null ? '' : `, the oldest for ${distance(stream.oldest_at)}`;
  console.log(
    `${counted(stream.messages, 'task is', 'tasks are')} not done yet${oldest}. ` +
      (dead.messages === 0 ? 'None is dead.' : `${counted(dead.messages, 'is', 'are')} dead: try-it-now queue dead`),
  );
}

export async function peek(env: Environment, { json, limit }: LimitOptions): Promise<void> {
  const answer = await new AdminClient(env).ask(TasksBody, 'GET', `/queue/tasks?limit=${limit}`);
  if (json === true) {
    printJson(answer);
    return;
  }
  if (answer.tasks.length === 0) {
    console.log('No task waits.');
    return;
  }
  const table = plainTable(['SEQUENCE', 'KIND', 'OF', 'INSTANCE', 'AGE']);
  for (const { sequence, kind, id, template, node, queued_at: queued } of answer.tasks)
    table.push([sequence, kind, template ?? node ?? '?', id ?? 'unreadable', distance(queued)]);
  console.log(table.toString());
}

export async function dead(env: Environment, { json, limit }: LimitOptions): Promise<void> {
  const answer = await new AdminClient(env).ask(DeadBody, 'GET', `/queue/dead?limit=${limit}`);
  if (json === true) {
    printJson(answer);
    return;
  }
  if (answer.dead.length === 0) {
    console.log('No task is dead.');
    return;
  }
  const table = plainTable(['SEQUENCE', 'KIND', 'OF', 'INSTANCE', 'TRIES', 'DIED']);
  for (const { sequence, kind, id, template, attempts, died_at: died } of answer.dead)
    table.push([sequence, kind, template ?? '', id ?? 'unreadable', attempts, `${distance(died)} ago`]);
  console.log(table.toString());
  for (const { sequence, reason } of answer.dead) console.log(`${sequence}: ${stripControlCharacters(reason)}`);
}

export async function retry(
  env: Environment,
  sequence: string | undefined,
  { json, all }: JsonOptions & { readonly all?: true },
): Promise<void> {
  if ((sequence === undefined) === (all !== true))
    throw new TryItNowError('invalid_request', 'Say which dead task, or --all; `try-it-now queue dead` lists them');
  const client = new AdminClient(env);
  const answer = await client.ask(
    RetriedBody,
    'POST',
    sequence === undefined ? '/queue/dead/retry' : `/queue/dead/${encodeURIComponent(sequence)}/retry`,
    {},
  );
  if (json === true) printJson(answer);
  else console.log(`${counted(answer.retried, 'task is', 'tasks are')} queued again.`);
}

export async function drop(
  env: Environment,
  sequence: string,
  { json, yes, dead: isDead }: JsonOptions & { readonly yes?: true; readonly dead?: true },
): Promise<void> {
  const client = new AdminClient(env);
  if (yes !== true && !(await confirmed(`Discard ${isDead === true ? 'the dead task' : 'task'} ${sequence}?`))) {
    console.log('Nothing was discarded.');
    return;
  }
  const answer =
    isDead === true
      ? await client.ask(DeadTaskBody, 'DELETE', `/queue/dead/${encodeURIComponent(sequence)}`)
      : await client.ask(TaskBody, 'DELETE', `/queue/tasks/${encodeURIComponent(sequence)}`);
  if (json === true) printJson(answer);
  else
    console.log(
      `Task ${answer.sequence} (${answer.kind} of ${answer.id ?? 'what cannot be read'}) is ` +
        `gone.${after(answer.kind, isDead === true)}`,
    );
}

export async function purge(
  env: Environment,
  which: 'provision' | 'cleanup' | 'dead',
  { json, yes }: JsonOptions & { readonly yes?: true },
): Promise<void> {
  const client = new AdminClient(env);
  if (yes !== true && !(await confirmed(`Discard ${WHAT[which]}?`))) {
    console.log('Nothing was discarded.');
    return;
  }
  const answer = await client.ask(PurgedBody, 'POST', '/queue/purge', { which });
  if (json === true) printJson(answer);
  else
    console.log(
      `${counted(answer.purged, 'task is', 'tasks are')} ` +
        `gone.${answer.purged === 0 ? '' : after(which === 'dead' ? 'provision' : which, which === 'dead')}`,
    );
}

function after(kind: 'provision' | 'cleanup', isDead: boolean): string {
  if (isDead) return '';
  return kind === 'provision'
    ? ' The pools plan others for them.'
    : ' What it was to take down is queued again within about half a minute.';
}

function counted(count: number, one: string, more: string): string {
  return `${count} ${count === 1 ? one : more}`;
}
