import type { Static } from 'typebox';
import type { Environment } from '../../config/environment.ts';
import { CatalogueBody, ReloadedBody } from '../../http/admin/template-routes.ts';
import { sleep } from '../../lifecycle/sleep.ts';
import { AdminClient } from '../admin-client.ts';
import { plainTable, printJson } from '../output.ts';

export interface ReloadOptions {
  readonly dryRun?: true;
  readonly json?: true;
}

type Reloaded = Static<typeof ReloadedBody>;
type Change = Reloaded['changes'][number];
type Process = Static<typeof CatalogueBody>['processes'][number];

/** Each says every three seconds that it runs, and hears of a request by that. */
const FOLLOWED_WITHIN_MS = 15_000;
const LOOK_MS = 500;

/** Has all processes read the templates again, and says what changes and who has followed. */
export async function reloadTemplates(env: Environment, { dryRun, json }: ReloadOptions): Promise<void> {
  const client = new AdminClient(env);
  const reloaded = await client.ask(ReloadedBody, 'POST', '/templates/reload', { dry_run: dryRun === true });
  const processes = reloaded.request === null ? [] : await followed(client, reloaded.request);
  const behind = processes.filter((process) => lagsBehind(process, reloaded));
  if (behind.length > 0) process.exitCode = 1;
  if (json === true) {
    printJson({ ...reloaded, processes });
    return;
  }
  for (const warning of reloaded.warnings) console.warn(`Note: ${warning}`);
  tellChanges(reloaded);
  for (const each of processes) console.log(describeProcess(each, behind.includes(each)));
}

/** Looks until all have come so far, or they take too long. */
async function followed(client: AdminClient, request: number): Promise<readonly Process[]> {
  const deadline = performance.now() + FOLLOWED_WITHIN_MS;
  for (;;) {
    const { processes } = await client.ask(CatalogueBody, 'GET', '/templates');
    if (processes.every(({ reloads }) => reloads >= request) || performance.now() > deadline) return processes;
    await sleep(LOOK_MS);
  }
}

function lagsBehind({ reloads, problem, revision }: Process, reloaded: Reloaded): boolean {
  return problem !== null || revision !== reloaded.revision || reloads < (reloaded.request ?? 0);
}

function tellChanges({ dry_run: dryRun, changes }: Reloaded): void {
  const changed = changes.filter(({ change }) => change !== 'unchanged');
  const table = plainTable(['TEMPLATE', 'CHANGE', 'READY TO REPLACE', 'VISITORS WHO GO ON']);
  for (const each of changes) table.push([each.template, describeChange(each), each.replaced, each.visitors]);
  console.log(table.toString());
  if (changed.length === 0) console.log('No template has changed.');
  else if (dryRun) console.log('Nothing was changed; without --dry-run it is.');
  else console.log(`Reloaded: ${changed.length} of ${changes.length} have changed.`);
}

function describeChange({ change, keys }: Change): string {
  return keys.length === 0 ? change : `${change}: ${keys.join(', ')}`;
}

function describeProcess({ role, host, pid, node, revision, problem }: Process, behind: boolean): string {
  const who = `${role} ${host}/${pid} (node ${node})`;
  if (problem !== null) return `${who} goes by what was before, ${revision ?? 'unknown'}: ${problem}`;
  return behind
    ? `${who} goes by other templates, ${revision ?? 'unknown'}: give its host the same file, and reload again`
    : `${who} goes by ${revision ?? 'unknown'}`;
}
