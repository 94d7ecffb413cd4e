import type { Environment } from '../../config/environment.ts';
import { ParseError, duration } from '../../config/parsers.ts';
import { TryItNowError } from '../../domain/errors.ts';
import {
  AllowanceRuleBody,
  AllowancesBody,
  BannedBody,
  BansBody,
  HarmsBody,
  SuspectsBody,
} from '../../http/admin/network-schemas.ts';
import { AdminClient } from '../admin-client.ts';
import { confirmed } from '../confirmed.ts';
import { plainTable, printJson } from '../output.ts';
import type { JsonOptions } from './queue-commands.ts';
import { distance, stripControlCharacters } from './text.ts';

interface RuleOptions extends JsonOptions {
  readonly for: string;
  readonly reason?: string;
}

export interface BanOptions extends RuleOptions {
  readonly end?: true;
  readonly yes?: true;
}

export interface AllowanceOptions extends RuleOptions {
  readonly held: number;
}

const FOR = duration('1m', '366d', '7d');

export async function listBans(env: Environment, { json }: JsonOptions): Promise<void> {
  const answer = await new AdminClient(env).ask(BansBody, 'GET', '/bans');
  if (json === true) {
    printJson(answer);
    return;
  }
  if (answer.bans.length === 0) {
    console.log('Nobody is banned.');
    return;
  }
  const table = plainTable(['NETWORK', 'SINCE', 'LEFT', 'REASON']);
  for (const { network, since, until, reason } of answer.bans)
    table.push([network, `${distance(since)} ago`, distance(until), stripControlCharacters(reason ?? '')]);
  console.log(table.toString());
}

export async function listSuspects(env: Environment, { json }: JsonOptions): Promise<void> {
  const answer = await new AdminClient(env).ask(SuspectsBody, 'GET', '/suspects');
  if (json === true) {
    printJson(answer);
    return;
  }
  if (answer.suspects.length === 0) {
    console.log('Nobody took an unusual share of the instances within a day.');
    return;
  }
  const table = plainTable(['WHO', 'TAKEN', 'UNOPENED', 'REFUSED', 'HARMFUL', 'SHOWN BY', 'SINCE', 'LAST']);
  for (const {
    kind,
    who,
    taken,
    taken_by_all: all,
    ended,
    unopened,
    refused,
    harmful,
    why,
    since,
    last,
  } of answer.suspects)
    table.push([
      `${kind} ${stripControlCharacters(who)}`,
      `${taken} of ${all}`,
      `${unopened} of ${ended}`,
      refused,
      harmful,
      why,
      `${distance(since)} ago`,
      `${distance(last)} ago`,
    ]);
  console.log(table.toString());
  const commands = new Set(answer.suspects.flatMap(({ ban }) => (ban === null ? [] : stripControlCharacters(ban))));
  if (commands.size > 0) console.log(`\nTo stop them:\n  ${[...commands].join('\n  ')}`);
  if (answer.suspects.some(({ kind }) => kind === 'site'))
    console.log('\nA site embeds only while ALLOWED_ORIGINS names it.');
}

export async function listHarm(env: Environment, { json }: JsonOptions): Promise<void> {
  const answer = await new AdminClient(env).ask(HarmsBody, 'GET', '/harm');
  if (json === true) {
    printJson(answer);
    return;
  }
  if (answer.harm.length === 0) {
    console.log('Nobody had visits ended lately because they harmed others.');
    return;
  }
  const table = plainTable(['WHO', 'ENDED', 'GETS', 'FORGOTTEN IN']);
  for (const { who, ends, paused_until: until, forgotten } of answer.harm)
    table.push([
      stripControlCharacters(who),
      ends,
      until === null ? 'after a proof of work' : `nothing for ${distance(until)}`,
      distance(forgotten),
    ]);
  console.log(table.toString());
}

export async function forgive(env: Environment, who: string): Promise<void> {
  await new AdminClient(env).send('DELETE', `/harm/${encodeURIComponent(who)}`);
  console.log(`${who} gets instances as anybody does.`);
}

export async function addBan(env: Environment, network: string, options: BanOptions): Promise<void> {
  const { end, yes, json } = options;
  if (end === true && yes !== true && !(await confirmed(`End what clients of ${network} hold?`))) {
    console.log('Nothing was changed.');
    return;
  }
  const answer = await new AdminClient(env).ask(BannedBody, 'PUT', path('bans', network), {
    ...ruleOf(options),
    ...(end === true ? { end } : {}),
  });
  if (json === true) printJson(answer);
  else
    console.log(
      `Nothing is handed out to ${answer.network} for ${distance(answer.until)}` +
        (end === true ? `; ended with it: ${answer.ended}.` : '.'),
    );
}

export async function listAllowances(env: Environment, { json }: JsonOptions): Promise<void> {
  const answer = await new AdminClient(env).ask(AllowancesBody, 'GET', '/allowances');
  if (json === true) {
    printJson(answer);
    return;
  }
  if (answer.allowances.length === 0) {
    console.log('No network may have more than others.');
    return;
  }
  const table = plainTable(['NETWORK', 'HELD AT ONCE', 'SINCE', 'LEFT', 'REASON']);
  for (const { network, held, since, until, reason } of answer.allowances)
    table.push([network, held, `${distance(since)} ago`, distance(until), stripControlCharacters(reason ?? '')]);
  console.log(table.toString());
}

export async function addAllowance(env: Environment, network: string, options: AllowanceOptions): Promise<void> {
  const answer = await new AdminClient(env).ask(AllowanceRuleBody, 'PUT', path('allowances', network), {
    ...ruleOf(options),
    held: options.held,
  });
  if (options.json === true) printJson(answer);
  else console.log(`${answer.network} may hold ${answer.held} instances at once for ${distance(answer.until)}.`);
}

export async function remove(env: Environment, which: 'bans' | 'allowances', network: string): Promise<void> {
  await new AdminClient(env).send('DELETE', path(which, network));
  console.log(which === 'bans' ? `${network} is not banned any more.` : `${network} may have what others may.`);
}

function path(which: 'bans' | 'allowances', network: string): string {
  return `/${which}/${encodeURIComponent(network)}`;
}

function ruleOf({ for: text, reason }: RuleOptions): { readonly for_seconds: number; readonly reason?: string } {
  const value = FOR.parse(text);
  if (value instanceof ParseError)
    throw new TryItNowError('invalid_request', `--for is ${JSON.stringify(text)}; it must be ${FOR.expects}`);
  return { for_seconds: Math.ceil(value / 1_000), ...(reason === undefined ? {} : { reason }) };
}
