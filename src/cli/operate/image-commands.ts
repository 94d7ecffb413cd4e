import type { Static } from 'typebox';
import type { Environment } from '../../config/environment.ts';
import { ImageBody, ImagesBody } from '../../http/admin/image-schemas.ts';
import { TryItNowError } from '../../domain/errors.ts';
import { sleep } from '../../lifecycle/sleep.ts';
import { AdminClient } from '../admin-client.ts';
import { confirmed } from '../confirmed.ts';
import { fittedTable, plainTable, printJson } from '../output.ts';
import { distance, stripControlCharacters, truncate } from './text.ts';

type Image = Static<typeof ImageBody>;

export interface ImageOptions {
  readonly json?: true;
}

const LOOK_EVERY_MS = 1_000;
const NAME_WIDTH = 44;
const REASON_WIDTH = 600;
/** `sha256:` and what people compare. */
const SHORT_ID = 19;

export async function list(env: Environment, { json }: ImageOptions): Promise<void> {
  const answer = await new AdminClient(env).ask(ImagesBody, 'GET', '/images');
  if (json === true) {
    printJson(answer);
    return;
  }
  const table = plainTable(['IMAGE', 'TEMPLATES', 'STATE', 'SERVES', 'CHECK', 'CHECKED']);
  for (const { image, templates, state, serves, checks, checked_at: checkedAt } of answer.images)
    table.push([
      truncate(image, NAME_WIDTH),
      truncate(templates.join(' '), NAME_WIDTH),
      state,
      serves === null ? '-' : short(serves),
      checks.join(', ') || 'off',
      checkedAt === null ? '-' : `${distance(checkedAt)} ago`,
    ]);
  console.log(table.toString());
  for (const image of answer.images) for (const line of remarks(image)) console.log(`${image.image}: ${line}`);
}

export async function check(
  env: Environment,
  named: string,
  { json, wait }: ImageOptions & { readonly wait?: boolean },
): Promise<void> {
  const client = new AdminClient(env);
  const asked = await client.ask(ImageBody, 'POST', path(named, 'check'), {});
  const image = wait === false ? asked : await untilSettled(client, asked);
  print(image, json);
  if (image.state === 'refused' || (wait !== false && image.problem !== null)) process.exitCode = 1;
}

export async function hold(
  env: Environment,
  named: string,
  { json, reason }: ImageOptions & { readonly reason?: string },
): Promise<void> {
  const body = reason === undefined ? {} : { reason };
  print(await new AdminClient(env).ask(ImageBody, 'POST', path(named, 'hold'), body), json);
}

export async function release(env: Environment, named: string, { json }: ImageOptions): Promise<void> {
  print(await new AdminClient(env).ask(ImageBody, 'POST', path(named, 'release'), {}), json);
}

export async function rollback(
  env: Environment,
  named: string,
  { json, yes }: ImageOptions & { readonly yes?: true },
): Promise<void> {
  if (yes !== true && !(await confirmed(`Replace what is ready of ${named} by the image before?`))) {
    console.log('Nothing was changed.');
    return;
  }
  print(await new AdminClient(env).ask(ImageBody, 'POST', path(named, 'rollback'), {}), json);
}

/** Shows on standard error how far it is. A server that is being restarted is waited for. */
async function untilSettled(client: AdminClient, asked: Image): Promise<Image> {
  let shown = '';
  for (;;) {
    const image = await look(client, asked.image);
    const said = image === undefined ? 'the server does not answer right now; still waiting' : progress(image);
    if (image !== undefined && image.state !== 'trying' && !(image.state === 'asked' && !isUntried(image, asked)))
      return image;
    if (said !== shown) process.stderr.write(`${said}\n`);
    shown = said;
    await sleep(LOOK_EVERY_MS);
  }
}

/** Something else has kept it from being tried since it was asked for, which it still is. */
function isUntried({ problem, checked_at: checkedAt }: Image, asked: Image): boolean {
  return problem !== null && checkedAt !== asked.checked_at;
}

/** Undefined while the server does not answer. */
async function look(client: AdminClient, name: string): Promise<Image | undefined> {
  try {
    const found = (await client.ask(ImagesBody, 'GET', '/images')).images.find(({ image }) => image === name);
    if (found !== undefined) return found;
  } catch (error) {
    if (error instanceof TryItNowError && error.code === 'admin_unavailable') return undefined;
    throw error;
  }
  throw new TryItNowError('unknown_image', `${name} is no template's image any more`);
}

function progress({ trying, obstacle }: Image): string {
  if (trying === null && obstacle !== null)
    return `waiting until a host can take it up: ${stripControlCharacters(obstacle)}`;
  return trying === null
    ? 'waiting until a server takes it up'
    : `${trying.node}: ${stripControlCharacters(trying.step)}`;
}

function path(named: string, action: string): string {
  return `/images/${encodeURIComponent(named)}/${action}`;
}

function short({ id, digest }: { readonly id: string; readonly digest: string | null }): string {
  return (digest ?? id).slice(0, SHORT_ID);
}

function print(image: Image, json: true | undefined): void {
  if (json === true) {
    printJson(image);
    return;
  }
  const { serves, former, checked_at: checkedAt, next_check_at: next } = image;
  const rows: string[][] = [
    ['Image', image.image],
    ['Templates', image.templates.join(', ')],
    ['State', image.state],
    ['Serves', serves === null ? 'nothing so far' : `${serves.digest ?? serves.id}, as ${serves.node} decided`],
    ['Before', former === null ? 'none' : `${former.digest ?? former.id}, until ${distance(former.until)} ago`],
    ['Check', image.checks.join(', ') || 'off'],
    ['Checked', checkedAt === null ? 'never' : `${distance(checkedAt)} ago`],
    [
      'Next check',
      next === null ? 'when somebody asks' : Date.parse(next) > Date.now() ? `in ${distance(next)}` : 'now',
    ],
  ];
  console.log(fittedTable([], [12], rows));
  for (const line of remarks(image)) console.log(line);
}

function remarks({ trying, refused, held, problem, obstacle }: Image): readonly string[] {
  const reason = (text: string): string => truncate(stripControlCharacters(text), REASON_WIDTH);
  return [
    ...(trying === null ? [] : [`a new one is on its way: ${reason(trying.step)}`]),
    ...(refused === null
      ? []
      : refused.why === 'failed'
        ? [`${short(refused)} is refused and reaches nobody (${distance(refused.at)} ago): ${reason(refused.reason)}`]
        : [`${short(refused)} is not taken: ${reason(refused.reason)}`]),
    ...(held === null
      ? []
      : [`held since ${distance(held.since)}${held.reason === null ? '' : `: ${reason(held.reason)}`}`]),
    ...(problem === null
      ? []
      : problem.untried
        ? [`a new one could not be tried for ${distance(problem.since)}, and will be again: ${reason(problem.reason)}`]
        : [`nobody can say for ${distance(problem.since)} whether there is a new one: ${reason(problem.reason)}`]),
    ...(obstacle === null ? [] : [`no host looks for new ones: ${reason(obstacle)}`]),
  ];
}
