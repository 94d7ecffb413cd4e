import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchSimulatedEngine, type LaunchedSimulatedEngine } from '../../src/runtime/simulated/launch.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { eventually } from '../support/eventually.ts';
import { OPERATOR_KEY, VISITOR_KEY } from '../support/operator.ts';
import { WebhookReceiver } from '../support/webhook-receiver.ts';
import { Program } from '../support/program.ts';
import { ServerProcess } from '../support/server-process.ts';

const PATIENT = { timeoutMs: 60_000 };
const VIEWER_KEY = 'a-viewers-own-key';

let dir: string;
let engine: LaunchedSimulatedEngine;
let server: ServerProcess;
let adminUrl: string;
let receiver: WebhookReceiver;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tin-operator-'));
  await writeFile(join(dir, 'key'), `${OPERATOR_KEY}\n`, { mode: 0o600 });
  await writeFile(join(dir, 'keys'), `viewer:${VIEWER_KEY},operator:a-clerks-own-key,${OPERATOR_KEY}\n`, {
    mode: 0o600,
  });
  receiver = await WebhookReceiver.start();
  await writeFile(join(dir, 'secret'), `whsec_${Buffer.alloc(32).toString('base64')}`, { mode: 0o600 });
  await writeFile(
    join(dir, 'webhooks.yaml'),
    `webhooks: [{name: crm, url: '${receiver.url}', secret: {file: secret}, events: [ended]}]`,
  );
  engine = await launchSimulatedEngine({ socketPath: join(dir, 'engine.sock') });
  const adminPort = await freePort();
  adminUrl = `http://127.0.0.1:${adminPort}`;
  server = await ServerProcess.launch({
    engine: 'simulated',
    engineSocket: engine.socketPath,
    ports: 20,
    templates: [{ name: 'hello', image: 'localhost/unused', port: 80, pool: { target: 2, max: 6 } }],
    env: {
      ADMIN_ADDR: `127.0.0.1:${adminPort}`,
      OPERATOR_KEYS_FILE: join(dir, 'keys'),
      API_KEY: VISITOR_KEY,
      WEBHOOKS_FILE: join(dir, 'webhooks.yaml'),
      CONTAINER_PORT_COOLDOWN: '10s',
      LOG_LEVEL: 'info',
    },
  });
  await eventually(async () => expect(await poolNow()).toMatchObject({ ready: 2 }), PATIENT);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await engine[Symbol.asyncDispose]();
  await receiver[Symbol.asyncDispose]();
  await rm(dir, { recursive: true });
});

function command(args: readonly string[], env: Readonly<Record<string, string>> = {}): Program {
  return new Program(args, { ADMIN_URL: adminUrl, OPERATOR_KEY_FILE: join(dir, 'key'), ...env });
}

async function run(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: number | null; readonly output: string }> {
  await using program = command(args, env);
  return { code: await program.exitCode, output: program.output };
}

async function json(args: readonly string[]): Promise<unknown> {
  const { code, output } = await run([...args, '--json']);
  expect([code, output]).toEqual([0, expect.stringMatching(/^\{/)]);
  return JSON.parse(output);
}

async function pool(): Promise<unknown> {
  return ((await json(['pool', 'stats'])) as { pools: unknown[] }).pools[0];
}

/** What `pool` shows, asked without starting the program for each look. */
async function poolNow(): Promise<unknown> {
  const answer = await fetch(`${adminUrl}/admin/v1/pools`, { headers: { 'x-api-key': OPERATOR_KEY } });
  return ((await answer.json()) as { pools: unknown[] }).pools[0];
}

async function acquire(): Promise<{
  readonly status: number;
  readonly retryAfter: string | null;
  readonly id: string;
  readonly url: string;
}> {
  const answer = await fetch(`${server.api}/api/v1/demo/acquire`, {
    method: 'POST',
    headers: { 'x-api-key': VISITOR_KEY },
  });
  const { id, url } = (await answer.json()) as { id: string; url: string };
  return { status: answer.status, retryAfter: answer.headers.get('retry-after'), id, url };
}

const page = async (): Promise<string> => (await fetch(server.api, { headers: { accept: 'text/html' } })).text();

it('pause holds through kill -9 and a restart, and is told to visitors; resume ends it', async () => {
  const paused = await run(['pool', 'pause', 'hello', '--reason', 'Back <soon>']);
  process.stdout.write(paused.output);
  expect([paused.code, paused.output]).toEqual([
    0,
    expect.stringMatching(/hello +paused +2 +2 .*\nhello: paused since .*"Back <soon>"/s),
  ]);
  await server.kill();
  expect(await run(['pool', 'stats'])).toEqual({
    code: 1,
    output: expect.stringContaining(
      `The admin API at ${adminUrl} cannot be asked: nothing answers there (ECONNREFUSED)`,
    ) as string,
  });
  await server.start();
  expect(await acquire()).toMatchObject({ status: 503, retryAfter: '30' });
  expect(await page()).toContain('Back &lt;soon&gt;');
  expect(await pool()).toMatchObject({ mode: 'paused', reason: 'Back <soon>', ready: 2 });
  expect((await run(['pool', 'resume', '--all'])).code).toBe(0);
  await eventually(async () => expect(await page()).not.toContain('Back &lt;soon&gt;'));
  const { status, id } = await acquire();
  expect(status).toBe(201);
  expect((await run(['instances', 'release', id, '--yes'])).code).toBe(0);
});

it('scale holds through a restart', async () => {
  expect((await run(['pool', 'scale', 'hello', '3'])).output).toContain(
    'an operator set the target to 3; the configuration says 2',
  );
  // A task that is under way at a kill comes again half a minute later.
  await eventually(async () => expect(await poolNow()).toMatchObject({ ready: 3 }), PATIENT);
  await server.kill();
  await server.start();
  await eventually(
    async () => expect(await poolNow()).toMatchObject({ ready: 3, target: 3, configured_target: 2 }),
    PATIENT,
  );
  expect((await run(['pool', 'scale', 'hello', 'configured'])).code).toBe(0);
  expect(await run(['pool', 'scale', 'hello', 'many'])).toMatchObject({
    code: 1,
    output: expect.stringContaining('a whole number, or `configured`') as string,
  });
});

it('drain waits through a restart until the last visitor is gone; Ctrl-C ends the waiting alone', async () => {
  const { url } = await acquire();
  {
    await using waiting = command(['pool', 'drain', 'hello', '--wait']);
    await eventually(() => expect(waiting.output).toContain('hello has 1 with visitors'), PATIENT);
    waiting.signal('SIGINT');
    expect([await waiting.exitCode, waiting.output]).toEqual([130, expect.stringContaining('the drain goes on')]);
  }
  expect(await pool()).toMatchObject({ mode: 'draining', assigned: 1, deadline: null });
  await using waiting = command(['pool', 'drain', 'hello', '--within', '1h', '--wait', '--yes']);
  await eventually(() => expect(waiting.output).toContain('1 with visitors, 0 idle'), PATIENT);
  await server.kill();
  await eventually(() => expect(waiting.output).toContain('The server does not answer right now'), PATIENT);
  await server.start();
  expect((await acquire()).status).toBe(503);
  const reported = url.replace('http', 'hxxp').replaceAll('.', '[.]');
  expect((await run(['instances', 'end', `${reported}wp-login.php`, '--yes'])).output).toContain('has stopped working');
  expect([await waiting.exitCode, waiting.output]).toEqual([0, expect.stringContaining('Drained: nobody is left')]);
  process.stdout.write(waiting.output);
  expect((await run(['pool', 'resume', 'hello'])).code).toBe(0);
  await eventually(async () => expect(await poolNow()).toMatchObject({ mode: 'open', ready: 2 }), PATIENT);
});

describe('commands', () => {
  it.each([
    [['pool', 'stats']],
    [['instances', 'list', '--template', 'hello']],
    [['queue', 'info']],
    [['funnel']],
    [['bans', 'list']],
    [['bans', 'suspects']],
    [['bans', 'harm']],
    [['allowances', 'list']],
    [['webhooks', 'list']],
    [['audit', '--limit', '5']],
  ])('%j fit 80 columns', async (args) => {
    const { code, output } = await run(args);
    expect(code).toBe(0);
    expect(
      output
        .split('\n')
        .map((line) => line.trimEnd())
        .filter((line) => line.length > 80),
    ).toEqual([]);
  });

  it('show what there is, also as JSON', async () => {
    const { instances } = (await json(['instances', 'list'])) as { instances: { id: string; container: string }[] };
    expect(instances.length).toBeGreaterThanOrEqual(2);
    const [{ id, container } = { id: '', container: '' }] = instances;
    expect((await run(['instances', 'show', id])).output).toContain(container);
    expect((await run(['instances', 'logs', id, '--tail', '1'])).output.trimEnd().split('\n')).toHaveLength(1);
    expect(await json(['queue', 'info'])).toMatchObject({ dead: { messages: 0 } });
    expect(await json(['queue', 'retry', '--all'])).toEqual({ retried: 0 });
    expect(await json(['funnel'])).toMatchObject({
      days: 7,
      rows: [
        { template: 'hello', site: 'direct', steps: expect.arrayContaining([{ step: 'waited', count: 0 }]) as unknown },
      ],
    });
    expect(await json(['audit', '--limit', '1'])).toMatchObject({
      entries: [{ action: 'queue.retry', outcome: 'done' }],
    });
  });

  it('end well when nobody reads what an instance wrote', async () => {
    const { instances } = (await json(['instances', 'list'])) as { instances: { id: string }[] };
    const line = '"$0" "$1" instances logs "$2" | true; exit "${PIPESTATUS[0]}"';
    const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
    const args = ['--norc', '-c', line, process.execPath, main, instances[0]?.id ?? ''];
    const env = { PATH: process.env['PATH'], ADMIN_URL: adminUrl, OPERATOR_KEY_FILE: join(dir, 'key') };
    expect(await promisify(execFile)('bash', args, { env })).toEqual({ stdout: '', stderr: '' });
  });

  it('ban networks and allow them more, each until an end', async () => {
    expect((await run(['bans', 'add', '203.0.113.7', '--for', '2h', '--reason', 'Burns the pool'])).output).toContain(
      'Nothing is handed out to 203.0.113.7/32 for 2 h.',
    );
    expect(await json(['bans', 'list'])).toMatchObject({
      bans: [{ network: '203.0.113.7/32', reason: 'Burns the pool' }],
    });
    expect(await json(['bans', 'suspects'])).toEqual({ suspects: [] });
    expect(await json(['bans', 'harm'])).toEqual({ harm: [] });
    expect(await run(['bans', 'forgive', '203.0.113.7'])).toMatchObject({
      code: 1,
      output: expect.stringContaining('Of "203.0.113.7" no harm is remembered') as unknown,
    });
    expect((await run(['bans', 'list'])).output).toContain('203.0.113.7/32');
    expect(await run(['bans', 'remove', '203.0.113.7'])).toMatchObject({ code: 0 });
    expect((await run(['bans', 'list'])).output).toContain('Nobody is banned.');
    expect(await run(['bans', 'add', 'nonsense'])).toMatchObject({ code: 1 });

    expect((await run(['allowances', 'add', '198.51.100.0/24', '--held', '40', '--for', '3h'])).output).toContain(
      '198.51.100.0/24 may hold 40 instances at once for 3 h.',
    );
    expect((await run(['allowances', 'list'])).output).toContain('198.51.100.0/24');
    expect(await run(['allowances', 'remove', '198.51.100.0/24'])).toMatchObject({ code: 0 });
    expect(await json(['allowances', 'list'])).toEqual({ allowances: [] });
  });

  it('have webhooks told, for a try and again', async () => {
    expect((await run(['webhooks', 'test', 'crm'])).output).toContain('crm took it with 200');
    expect(receiver.received.map(({ type }) => type)).toContain('webhook.test');
    receiver.answer = () => 500;
    const { code, output } = await run(['webhooks', 'test', 'crm']);
    expect([code, output]).toEqual([1, expect.stringContaining('crm did not take it: answered 500')]);
    receiver.answer = () => 200;
    await eventually(
      async () =>
        expect(await json(['webhooks', 'list'])).toMatchObject({
          outbox: { waiting: 0, dropped: 0 },
          webhooks: [{ name: 'crm', events: ['ended'], pending: 0, dead: 0, failures_in_a_row: 0 }],
        }),
      PATIENT,
    );
    expect(receiver.taken().filter((type) => type !== 'webhook.test')).toContain('visit.ended');
    expect(await json(['webhooks', 'dead'])).toEqual({ dead: [] });
    const done = { action: 'webhooks.replay', on: 'crm', state: 'done' };
    const none = '0 events are delivered to crm again';
    expect(await json(['webhooks', 'replay', 'crm', '--dead'])).toMatchObject({ ...done, said: none });
    const { output: said } = await run(['webhooks', 'replay', 'crm', '--within', '1h']);
    expect(said).toMatch(/^[1-9]\d* events? (is|are) delivered to crm again\.$/m);
  });

  it.each([
    [['pool', 'pause', 'nothing'], 'There is no template named \\"nothing\\"'],
    [['pool', 'pause'], 'Say which template, or --all'],
    [['pool', 'drain', 'hello', '--within', '10m'], 'say so with --yes'],
    [['pool', 'drain', 'hello', '--within', '10', '--yes'], '--within is \\"10\\"; it must be a duration'],
    [['queue', 'purge', 'dead'], 'Nobody can be asked here'],
    [['queue', 'purge', 'all', '--yes'], 'Allowed choices are'],
    [['queue', 'retry'], 'Say which dead task, or --all'],
    [['audit', '--limit', '0'], 'from 1 to 10000'],
    [['funnel', '--days', '91'], 'from 1 to 90'],
    [['webhooks', 'test', 'nobody'], 'There is no webhook named'],
    [['webhooks', 'replay', 'crm'], 'Say what: --dead, or --within'],
    [['webhooks', 'replay', 'crm', '--within', '2'], 'it must be a duration'],
  ])('%j is refused', async (args, message) => {
    const { code, output } = await run(args);
    expect([code, JSON.stringify(output)]).toEqual([1, expect.stringContaining(message)]);
  });

  it.each([
    [{ OPERATOR_KEY_FILE: '' }, 1, 'none is set'],
    [{ OPERATOR_KEY_FILE: '', OPERATOR_KEY: VISITOR_KEY }, 1, 'does not accept this operator key'],
    [{ OPERATOR_KEY_FILE: '/nowhere' }, 78, 'OPERATOR_KEY_FILE names'],
    [{ ADMIN_URL: 'http://127.0.0.1:1' }, 1, 'nothing answers there'],
    [{ ADMIN_URL: 'x' }, 78, 'ADMIN_URL is "x"'],
  ])('with %j say what is wrong', async (env, code, message) => {
    expect(await run(['pool', 'stats'], env)).toEqual({ code, output: expect.stringContaining(message) as string });
  });

  it('act with the key of OPERATOR_KEYS that may most, and say as whom', async () => {
    const onHost = { OPERATOR_KEY_FILE: '', OPERATOR_KEYS_FILE: join(dir, 'keys') };
    const change = ['pool', 'scale', 'hello', 'configured'];
    expect(await run(change, onHost)).toEqual({
      code: 0,
      output: expect.stringMatching(
        /^As key:[0-9a-f]{8}, admin: of the 3 OPERATOR_KEYS here, the first that may most\. Set OPERATOR_KEY_FILE /,
      ) as string,
    });
    expect((await run(['pool', 'stats'], onHost)).output).not.toContain('OPERATOR_KEY');
    expect((await run(change)).output).not.toContain('OPERATOR_KEY');
  });

  it.each([
    [{ OPERATOR_KEY: VIEWER_KEY }, 'OPERATOR_KEY or OPERATOR_KEY_FILE has this key; set it to one that may'],
    [{ OPERATOR_KEYS: `viewer:${VIEWER_KEY}` }, 'No key of OPERATOR_KEYS here may more; set OPERATOR_KEY_FILE to one'],
  ])('say where a key comes from that may too little: %j', async (env, message) => {
    expect(await run(['pool', 'pause', 'hello'], { OPERATOR_KEY_FILE: '', ...env })).toEqual({
      code: 1,
      output: expect.stringMatching(`with the role viewer, and this needs the role operator.*${message}`) as string,
    });
  });

  it("with the address of the visitors' API say that it is no admin API", async () => {
    expect(await run(['pool', 'stats'], { ADMIN_URL: server.api })).toEqual({
      code: 1,
      output: expect.stringContaining('is no admin API of this version') as string,
    });
  });
});

it('leaves no key in a log line', () => {
  expect(server.tail(500)).toContain('"audit":true');
  for (const key of [OPERATOR_KEY, VISITOR_KEY]) expect(server.tail(500)).not.toContain(key);
});
