import { copyFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { request } from 'undici';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { askAdmin as askCaddy } from '../../src/proxy/caddy-admin.ts';
import type { Json } from '../../src/proxy/json.ts';
import { launchSimulatedEngine, type LaunchedSimulatedEngine } from '../../src/runtime/simulated/launch.ts';
import { DashboardLogin } from '../support/dashboard-login.ts';
import { Cleanups, ownFolder } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { OPERATOR_KEY } from '../support/operator.ts';
import { claimPorts, type ClaimedPorts } from '../support/port-ranges.ts';
import { Program } from '../support/program.ts';
import { ServerProcess } from '../support/server-process.ts';

const HELLO = { name: 'hello', image: 'localhost/unused', port: 80, pool: { target: 2, max: 6 } };
const DOCS = { name: 'docs', image: 'localhost/unused', port: 80, env: { EDITION: '1' }, pool: { target: 1, max: 3 } };
const WIKI = { name: 'wiki', image: 'localhost/unused', port: 80, pool: { target: 1, max: 2 } };
type Written = Readonly<Record<string, unknown>>;

interface Change {
  readonly template: string;
  readonly change: string;
  readonly keys: readonly string[];
  readonly replaced: number;
  readonly visitors: number;
}
interface Answer {
  readonly status: number;
  readonly json: Readonly<Record<string, unknown>> & { readonly changes: readonly Change[] };
}
interface Process {
  readonly role: string;
  readonly node: string;
  readonly revision: string;
  readonly reloads: number;
  readonly problem: string | null;
}
interface Visit {
  readonly id: string;
  readonly url: string;
  readonly expires_at: string;
}

const cleanups = new Cleanups('reloaded templates');
let dir: string;
/** The server's, and the one on the other host. */
let file: string;
let copy: string;
let engine: LaunchedSimulatedEngine;
/** Of the other host. */
let further: LaunchedSimulatedEngine;
let server: ServerProcess;
let worker: Program;
let workerPorts: ClaimedPorts;
let adminUrl: string;
beforeAll(async () => {
  dir = await ownFolder(cleanups, 'tin-reload-');
  [file, copy] = [join(dir, 'templates.yaml'), join(dir, 'copy.yaml')];
  await writeFile(join(dir, 'key'), OPERATOR_KEY, { mode: 0o600 });
  await write([HELLO, DOCS]);
  engine = await launchSimulatedEngine({ socketPath: join(dir, 'engine.sock') });
  cleanups.push(() => engine[Symbol.asyncDispose]());
  further = await launchSimulatedEngine({ socketPath: join(dir, 'further.sock') });
  cleanups.push(() => further[Symbol.asyncDispose]());
  const adminPort = await freePort();
  adminUrl = `http://127.0.0.1:${adminPort}`;
  server = await ServerProcess.launch({
    engine: 'simulated',
    engineSocket: engine.socketPath,
    ports: 30,
    templates: [HELLO, DOCS],
    env: {
      TEMPLATES_FILE: file,
      ADMIN_ADDR: `127.0.0.1:${adminPort}`,
      OPERATOR_KEYS_FILE: join(dir, 'key'),
      LOG_LEVEL: 'info',
    },
  });
  cleanups.push(() => server[Symbol.asyncDispose]());
  workerPorts = await claimPorts(20);
  cleanups.push(() => workerPorts[Symbol.asyncDispose]());
  worker = new Program(['worker'], {
    ...server.env,
    NODE_NAME: 'node1',
    SIMULATED_SOCKET: further.socketPath,
    TEMPLATES_FILE: copy,
    WORKER_METRICS_ADDR: `127.0.0.1:${await freePort()}`,
    CONTAINER_PORT_RANGE_START: String(workerPorts.start),
    CONTAINER_PORT_RANGE_END: String(workerPorts.end),
  });
  cleanups.push(() => worker[Symbol.asyncDispose]());
  await eventually(() => expect(worker.output).toContain('Try It Now started'));
});
afterAll(() => cleanups[Symbol.asyncDispose]());

/** On every host. */
async function write(templates: readonly Written[]): Promise<void> {
  await writeFile(file, stringify({ templates }));
  await copyFile(file, copy);
}

async function admin(method: 'GET' | 'POST', path: string, body?: object): Promise<Answer> {
  const answer = await fetch(`${adminUrl}/admin/v1${path}`, {
    method,
    headers: { 'x-api-key': OPERATOR_KEY, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: answer.status, json: (await answer.json()) as Answer['json'] };
}

const reload = (dryRun = false): Promise<Answer> => admin('POST', '/templates/reload', { dry_run: dryRun });

async function command(...args: string[]): Promise<{ readonly code: number | null; readonly output: string }> {
  await using program = new Program(['templates', 'reload', ...args], {
    ADMIN_URL: adminUrl,
    OPERATOR_KEY_FILE: join(dir, 'key'),
  });
  return { code: await program.exitCode, output: program.output };
}

async function catalogue(): Promise<{ readonly revision: string; readonly processes: readonly Process[] }> {
  const { revision, processes } = (await admin('GET', '/templates')).json;
  return { revision: revision as string, processes: processes as readonly Process[] };
}

async function offered(): Promise<Readonly<Record<string, string>>> {
  const answer = await fetch(`${server.api}/api/v1/templates`);
  const { templates } = (await answer.json()) as { templates: { name: string; title: string }[] };
  return Object.fromEntries(templates.map(({ name, title }) => [name, title]));
}

interface Idle {
  readonly id: string;
}

async function ready(template: string): Promise<readonly Idle[]> {
  const { json } = await admin('GET', `/instances?template=${template}&state=ready`);
  return json['instances'] as readonly Idle[];
}

async function standing(template: string, count: number): Promise<readonly Idle[]> {
  return eventually(async () => {
    const found = await ready(template);
    expect(found).toHaveLength(count);
    return found;
  });
}

/** The row of the table in which this is the name. */
function rowOf(page: string, template: string): string {
  return page.split('<tr role="row">').find((row) => row.includes(`<span>${template}</span>`)) ?? '';
}

async function acquire(template: string): Promise<{ readonly status: number; readonly json: unknown }> {
  const answer = await fetch(`${server.api}/api/v1/demo/acquire`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ template }),
  });
  return { status: answer.status, json: await answer.json() };
}

async function visit(template: string): Promise<Visit> {
  return eventually(async () => {
    const { status, json } = await acquire(template);
    expect(status).toBe(201);
    return json as Visit;
  });
}

/** What its visitor sees. */
async function page({ url }: Visit): Promise<readonly [number, string]> {
  const { statusCode, body } = await request(`http://127.0.0.1:${server.proxyPort}/`, {
    headers: { host: new URL(url).host },
  });
  return [statusCode, await body.text()];
}

async function lookAt({ id }: Visit): Promise<Readonly<Record<string, unknown>>> {
  const answer = await fetch(`${server.api}/api/v1/demo/${id}`);
  // What is left of it goes down while one looks.
  return { ...((await answer.json()) as Record<string, unknown>), ttl_seconds: undefined };
}

async function end({ id }: Visit): Promise<void> {
  expect((await fetch(`${server.api}/api/v1/demo/${id}`, { method: 'DELETE' })).ok).toBe(true);
}

/** As before each test: both hosts go by the same file again, and stock is there. */
async function reset(): Promise<void> {
  await write([HELLO, DOCS]);
  const { status, json } = await reload();
  expect(status).toBe(200);
  // Who follows later would read what the test writes.
  await eventually(async () => {
    const { processes } = await catalogue();
    expect(processes.map(({ reloads }) => reloads)).toEqual([json['request'], json['request']]);
  });
  await standing('docs', 1);
  await standing('hello', 2);
}

describe('a reload of the templates', () => {
  beforeEach(reset);

  it('says beforehand what it would change, and changes nothing by that', async () => {
    const before = await catalogue();
    const held = await visit('docs');
    await standing('docs', 1);
    await write([{ ...DOCS, env: { EDITION: '2' } }, { ...WIKI }]);
    const { code, output } = await command('--dry-run', '--json');
    expect([code, JSON.parse(output)]).toEqual([
      0,
      expect.objectContaining({
        dry_run: true,
        changes: [
          { template: 'docs', change: 'changed', keys: ['env'], replaced: 1, visitors: 1 },
          { template: 'wiki', change: 'added', keys: [], replaced: 0, visitors: 0 },
          { template: 'hello', change: 'removed', keys: [], replaced: 2, visitors: 0 },
        ],
      }),
    ]);
    const told = await command('--dry-run');
    expect(told.output).toMatch(/docs +changed: env +1 +1 *\n[^]*Nothing was changed/);
    expect((await catalogue()).revision).toBe(before.revision);
    expect(Object.keys(await offered())).toEqual(['hello', 'docs']);
    await end(held);
  });

  it('fills what is added and replaces what is changed, while a visit goes on as it was', async () => {
    const held = await visit('docs');
    const before = { seen: await lookAt(held), page: await page(held) };
    const [old] = await standing('docs', 1);
    await write([{ ...HELLO, title: 'Good morning' }, { ...DOCS, env: { EDITION: '2' } }, WIKI]);
    const { code, output } = await command();
    expect([code, output]).toEqual([0, expect.stringContaining('Reloaded: 3 of 3 have changed.')]);
    expect(output).toMatch(/server .* \(node node0\) goes by \w{12}\n/);
    expect(output).toMatch(/worker .* \(node node1\) goes by \w{12}\n/);
    expect(await offered()).toEqual({ hello: 'Good morning', docs: 'docs', wiki: 'wiki' });
    await standing('wiki', 1);
    await eventually(async () => {
      const [fresh, ...more] = await ready('docs');
      expect(more).toEqual([]);
      expect([fresh?.id, old?.id]).not.toContain(undefined);
      expect(fresh?.id).not.toBe(old?.id);
    });
    const after = { seen: await lookAt(held), page: await page(held) };

    expect(after).toEqual(before);
    const metrics = await (await fetch(`${server.api}/metrics`)).text();
    expect(metrics).toContain('try_it_now_takes_total{template="wiki",outcome="taken"} 0');
    await end(held);
  });

  it('takes out what is removed, when its visitors have gone', async () => {
    const held = await visit('docs');
    const before = await page(held);
    await write([HELLO]);
    expect((await reload()).json.changes.at(-1)).toMatchObject({ template: 'docs', change: 'removed', visitors: 1 });
    expect(await acquire('docs')).toMatchObject({ status: 404, json: { code: 'unknown_template' } });
    await standing('docs', 0);
    expect(await lookAt(held)).toMatchObject({ id: held.id, state: 'assigned' });
    expect(await page(held)).toEqual(before);
    await end(held);
    await eventually(async () => {
      expect((await admin('GET', '/instances?template=docs')).json['instances']).toEqual([]);
    });
  });

  it('of one with a port of its own leaves the proxy as the server has it, also for doctor and reconcile', async () => {
    const demo = async (): Promise<Json> =>
      (await askCaddy(server.env['CADDY_ADMIN_URL'] ?? '', 'GET', '/config/apps/http/servers/demo')).body;
    const run = async (...args: string[]): Promise<string> => {
      await using program = new Program(args, server.env);
      await program.exitCode;
      return program.output;
    };
    await write([HELLO, DOCS, { ...WIKI, port: 8081 }]);
    await reload();
    await eventually(async () => expect(JSON.stringify(await demo())).toContain('8081'));
    await write([HELLO, DOCS]);
    await reload();
    const before = await demo();
    expect(JSON.stringify(before)).toContain('8081');
    expect(await run('doctor')).toMatch(/demo server +ok/);
    expect(await run('reconcile', '--json')).not.toContain('"proxy"');
    expect(await demo()).toEqual(before);
  });

  it('is told of a process that goes by another file, or by one that is wrong', async () => {
    await writeFile(file, stringify({ templates: [HELLO, { ...DOCS, env: { EDITION: '3' } }] }));
    const differs = await command();
    expect(differs.code).toBe(1);
    expect(differs.output).toMatch(
      /worker .* \(node node1\) goes by other templates, \w{12}: give its host the same file/,
    );
    expect(await (await fetch(`${server.api}/metrics`)).text()).toContain('try_it_now_catalogue_revisions 2');
    await writeFile(copy, 'templates: []');
    const wrong = await command();
    expect(wrong.code).toBe(1);
    expect(wrong.output).toMatch(/worker .* goes by what was before, \w{12}: The templates have 1 problem/);
    await copyFile(file, copy);
    expect((await command()).code).toBe(0);
  });

  it('in the dashboard says what would change or why it is refused, and then who has followed', async () => {
    const login = await DashboardLogin.withKey(adminUrl, OPERATOR_KEY);
    await write([HELLO, { ...DOCS, title: 'Handbook' }, WIKI]);
    const before = await catalogue();
    const planned = await login.page('/templates');
    expect(rowOf(planned, 'docs')).toMatch(/changed.*title/s);
    expect(rowOf(planned, 'wiki')).toMatch(/added/);
    const asked = await (await login.act('templates.reload', { changes: 'added: wiki', sure: '' })).text();
    expect(asked).toContain('Here that means added: wiki. Visits go on.');
    expect((await catalogue()).revision).toBe(before.revision);

    await writeFile(file, stringify({ templates: [HELLO, { ...DOCS, titel: 'Handbook' }] }));
    const line = /<li>[^<]*templates\.yaml:\d+: templates\[1\]\.titel is not known; did you mean title\?<\/li>/;
    expect(await login.page('/templates')).toMatch(line);
    const refused = await login.act('templates.reload');
    expect([refused.status, await refused.text()]).toEqual([422, expect.stringMatching(line)]);
    expect((await catalogue()).revision).toBe(before.revision);

    await copyFile(copy, file);
    const done = await login.act('templates.reload');
    expect(done.headers.get('location')).toContain('Reloaded+here%3A+2+of+3+have+changed');
    const { revision } = await catalogue();
    expect(revision).not.toBe(before.revision);
    await eventually(async () => {
      const page = await login.page('/templates');
      expect(page.match(new RegExp(`>${revision}<`, 'g'))).toHaveLength(2);
      expect(page).toContain('Nothing: the files say what this server goes by.');
    });
    const entries = (await admin('GET', '/audit?limit=2')).json['entries'] as readonly object[];
    expect(entries[0]).toMatchObject({ action: 'templates.reload', outcome: 'done' });
    expect(entries[1]).toMatchObject({ action: 'templates.reload', outcome: 'invalid_templates' });
  });

  it('of two at once does one after the other, and ends with what the file says', async () => {
    await write([HELLO, DOCS, WIKI]);
    const answers = await Promise.all([reload(), reload(), reload(true)]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    const changes = answers.slice(0, 2).map(({ json }) => json.changes.find(({ template }) => template === 'wiki'));
    expect(changes.map((change) => change?.change).sort()).toEqual(['added', 'unchanged']);
    await standing('wiki', 1);
  });

  it('comes by SIGHUP as well, and the process lives on when the file is wrong', async () => {
    await write([HELLO, { ...DOCS, title: 'Documents' }]);
    process.kill(server.pid, 'SIGHUP');
    await eventually(async () => expect(await offered()).toEqual({ hello: 'hello', docs: 'Documents' }));
    await writeFile(file, 'templates: []');
    process.kill(server.pid, 'SIGHUP');
    const ofServer = async () => (await catalogue()).processes.find(({ role }) => role === 'server');
    await eventually(async () => expect((await ofServer())?.problem).toContain('The templates have 1 problem'));
    expect(server.tail()).toContain('The templates were not reloaded; those before hold');
    expect(await offered()).toEqual({ hello: 'hello', docs: 'Documents' });
    await write([HELLO, { ...DOCS, title: 'Papers' }]);
    worker.signal('SIGHUP');
    await eventually(async () => {
      const { processes } = await catalogue();
      expect(new Set(processes.map(({ revision, problem }) => `${revision} ${problem ?? ''}`)).size).toBe(1);
      expect((await offered())['docs']).toBe('Papers');
    });
  });
});

describe('a reload of a file that is wrong', () => {
  beforeAll(reset);
  afterEach(() => write([HELLO, DOCS]));

  it.each([
    ['is no YAML', () => writeFile(file, 'templates: [{'), /not YAML as it should be/],
    ['has an unknown key', () => write([{ ...HELLO, colour: 'red' }]), /templates\.yaml:\d+: .*colour/],
    ['has a name twice', () => write([HELLO, HELLO]), /templates\.yaml:\d+: the name hello is taken/],
    ['has a value that is wrong', () => write([{ ...HELLO, port: 70_000 }]), /templates\.yaml:\d+: .*port/],
    [
      'wants more ports than there are',
      () => write([{ ...HELLO, pool: { target: 1, max: 900 } }]),
      /CONTAINER_PORT_RANGE/,
    ],
    ['is gone', () => rm(file), /cannot be read/],
  ])('changes nothing when it %s', async (_, spoil, why) => {
    const before = await catalogue();
    await spoil();
    for (const dryRun of [true, false]) {
      const { status, json } = await reload(dryRun);
      expect([status, json['code']]).toEqual([422, 'invalid_templates']);
      expect(json['detail']).toMatch(why);
    }
    expect((await catalogue()).revision).toBe(before.revision);
    expect(Object.keys(await offered())).toEqual(['hello', 'docs']);
  });

  it('ends the command with 78, and with the reason', async () => {
    await rm(file);
    const { code, output } = await command();
    expect([code, output]).toEqual([78, expect.stringMatching(/cannot be read/) as string]);
  });
});
