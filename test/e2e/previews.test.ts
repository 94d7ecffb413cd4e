import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis as Valkey } from 'iovalkey';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { launchSimulatedEngine, type LaunchedSimulatedEngine } from '../../src/runtime/simulated/launch.ts';
import { Cleanups, ownFolder } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { OPERATOR_KEY } from '../support/operator.ts';
import { Program } from '../support/program.ts';
import { ServerProcess } from '../support/server-process.ts';

const HELLO = { name: 'hello', image: 'localhost/unused', port: 80, pool: { target: 1, max: 2 } };
const SHOP = {
  name: 'shop',
  title: 'The shop',
  image: 'localhost/acme/shop:1',
  port: 80,
  pool: { target: 1, max: 2 },
  previews: { images: ['localhost/acme/shop:pr-*'], max: 2, max_age: '2d' },
};
const IMAGE = 'localhost/acme/shop:pr-12-aaa';
const DOCS = { ...HELLO, name: 'docs', previews: { images: ['localhost/acme/docs:pr-*'] } };
const DOCS_IMAGE = 'localhost/acme/docs:pr-1';
/** Of builds: for every template's previews, and for those of the shop. */
const BUILDS_KEY = 'a-key-that-builds-have';
const SHOP_KEY = 'a-key-that-the-shop-has';

interface Answer {
  readonly status: number;
  readonly json: Readonly<Record<string, unknown>>;
}

const cleanups = new Cleanups('the previews');
let dir: string;
let file: string;
let engine: LaunchedSimulatedEngine;
let adminUrl: string;
let server: ServerProcess;
let valkey: Valkey;

beforeAll(async () => {
  dir = await ownFolder(cleanups, 'tin-previews-');
  file = join(dir, 'templates.yaml');
  await writeFile(join(dir, 'key'), OPERATOR_KEY, { mode: 0o600 });
  await writeFile(join(dir, 'shop-key'), SHOP_KEY, { mode: 0o600 });
  await writeFile(join(dir, 'keys'), `previews:${BUILDS_KEY}\npreviews@shop:${SHOP_KEY}\n${OPERATOR_KEY}\n`, {
    mode: 0o600,
  });
  await write([HELLO, SHOP]);
  engine = await launchSimulatedEngine({ socketPath: join(dir, 'engine.sock') });
  cleanups.push(() => engine[Symbol.asyncDispose]());
  const adminPort = await freePort();
  adminUrl = `http://127.0.0.1:${adminPort}`;
  server = await ServerProcess.launch({
    engine: 'simulated',
    engineSocket: engine.socketPath,
    ports: 30,
    templates: [HELLO, SHOP],
    env: {
      TEMPLATES_FILE: file,
      ADMIN_ADDR: `127.0.0.1:${adminPort}`,
      OPERATOR_KEYS_FILE: join(dir, 'keys'),
      LOG_LEVEL: 'info',
    },
  });
  cleanups.push(() => server[Symbol.asyncDispose]());
  const [host = '', port = ''] = (server.env['VALKEY_ADDR'] ?? '').split(':');
  valkey = new Valkey({ host, port: Number(port) });
  cleanups.push(() => valkey.disconnect());
  // What is taken down is found out from the settings.
  cleanups.push(() => write([HELLO, SHOP]));
});
afterAll(() => cleanups[Symbol.asyncDispose]());

function write(templates: readonly object[]): Promise<void> {
  return writeFile(file, stringify({ templates }));
}

const admin = (method: string, path: string, body?: object): Promise<Answer> => ask(OPERATOR_KEY, method, path, body);

async function ask(key: string, method: string, path: string, body?: object): Promise<Answer> {
  const answer = await fetch(`${adminUrl}/admin/v1${path}`, {
    method,
    headers: { 'x-api-key': key, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  return { status: answer.status, json: (text === '' ? {} : JSON.parse(text)) as Answer['json'] };
}

const put = (name: string, body: object = {}): Promise<Answer> =>
  admin('PUT', `/previews/${name}`, { from: 'shop', image: IMAGE, ...body });

async function acquire(template: string): Promise<Answer> {
  const answer = await fetch(`${server.api}/api/v1/demo/acquire`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ template }),
  });
  return { status: answer.status, json: (await answer.json()) as Answer['json'] };
}

/** With the key in this file, or with those of the server. */
async function run(keyFile: string, ...args: string[]): Promise<{ code: number | null; output: string }> {
  const variable = keyFile === 'keys' ? 'OPERATOR_KEYS_FILE' : 'OPERATOR_KEY_FILE';
  await using program = new Program(args, { ADMIN_URL: adminUrl, [variable]: join(dir, keyFile) });
  return { code: await program.exitCode, output: program.output };
}

const ready = (name: string): Promise<Answer['json']> =>
  eventually(async () => {
    const { json } = await admin('GET', `/previews/${name}`);
    expect(json).toMatchObject({ state: 'ready', ready: 1 });
    return json;
  });

async function instances(template: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const { json } = await admin('GET', `/instances?template=${template}`);
  return json['instances'] as readonly Readonly<Record<string, unknown>>[];
}

/** Keys that have the name in them, or values that do. */
async function traces(name: string): Promise<readonly string[]> {
  const found = (await valkey.keys('*')).filter((key) => key.includes(name));
  const [templates, previews, pins] = await Promise.all([
    valkey.smembers('templates'),
    valkey.hkeys('previews'),
    valkey.hkeys('image_pins'),
  ]);
  return [...found, ...[...templates, ...previews, ...pins].filter((each) => each.includes(name))]
    .filter((key) => !key.startsWith('arrivals:'))
    .sort();
}

async function gone(name: string): Promise<void> {
  await eventually(async () => {
    expect(await traces(name)).toEqual([]);
    expect((await admin('GET', `/previews/${name}`)).json['code']).toBe('unknown_preview');
  });
  expect(await instances(name)).toEqual([]);
}

/** As before each test: both templates, and no preview. */
beforeEach(async () => {
  await write([HELLO, SHOP]);
  expect((await admin('POST', '/templates/reload', {})).status).toBe(200);
  const { previews } = (await admin('GET', '/previews')).json as { previews: { name: string; visitors: number }[] };
  for (const { name } of previews) {
    await admin('DELETE', `/previews/${name}`);
    for (const { id } of await instances(name)) await admin('DELETE', `/instances/${String(id)}`);
    await gone(name);
  }
});

describe('a preview', () => {
  it('is a copy of its template that a visitor can try, and is shown to nobody who does not know of it', async () => {
    const { status, json } = await put('shop-pr-12');
    expect([status, json]).toEqual([
      200,
      expect.objectContaining({ name: 'shop-pr-12', title: 'The shop (shop-pr-12)', image: IMAGE, visitors: 0 }),
    ]);
    await ready('shop-pr-12');
    expect(await acquire('shop-pr-12')).toMatchObject({ status: 201, json: { id: expect.any(String) as unknown } });
    expect(await (await fetch(String(json['url']).replace(/^http:\/\/[^/]+/, server.api))).text()).toContain(
      'The shop (shop-pr-12)',
    );
    const shown = (await (await fetch(`${server.api}/api/v1/templates`)).json()) as { templates: { name: string }[] };
    expect(shown.templates.map(({ name }) => name)).toEqual(['hello', 'shop']);
    expect(await (await fetch(server.api)).text()).not.toContain('shop-pr-12');
    const { templates } = (await admin('GET', '/templates')).json as { templates: Record<string, unknown>[] };
    expect(templates.at(-1)).toMatchObject({ name: 'shop-pr-12', preview_of: 'shop', ends: json['ends'] });
  });

  it('leaves nothing when it is removed, once its visitor has gone', async () => {
    await put('shop-pr-13');
    await ready('shop-pr-13');
    const visit = (await acquire('shop-pr-13')).json;
    expect((await admin('DELETE', '/previews/shop-pr-13')).status).toBe(204);
    expect(await acquire('shop-pr-13')).toMatchObject({ status: 410, json: { code: 'template_ended' } });
    expect((await fetch(`${server.api}/try/shop-pr-13`)).status).toBe(410);
    await eventually(async () => {
      expect((await instances('shop-pr-13')).map(({ state }) => state)).toEqual(['assigned']);
    });
    expect((await admin('GET', '/previews/shop-pr-13')).json).toMatchObject({ state: 'ended', visitors: 1 });
    expect((await fetch(`${server.api}/api/v1/demo/${String(visit['id'])}`)).status).toBe(200);
    await fetch(`${server.api}/api/v1/demo/${String(visit['id'])}`, { method: 'DELETE' });
    await gone('shop-pr-13');
  });

  it('ends by itself at its time', async () => {
    const { json } = await put('shop-pr-14', { for_seconds: 1 });
    // A click would have it stay for as long as the visit lasts.
    await eventually(async () => {
      expect([404, 410]).toContain((await fetch(`${server.api}/try/shop-pr-14`)).status);
    });
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(String(json['ends'])));
    await gone('shop-pr-14');
  });

  it('gets another image in place, and counts only what has it as ready', async () => {
    await put('shop-pr-15');
    await ready('shop-pr-15');
    const [before] = await instances('shop-pr-15');
    const image = 'localhost/acme/shop:pr-12-bbb';
    expect((await put('shop-pr-15', { image })).json).toMatchObject({ image, state: 'starting', ready: 0 });
    await ready('shop-pr-15');
    await eventually(async () => {
      const now = await instances('shop-pr-15');
      expect(now).toHaveLength(1);
      expect(now[0]?.['id']).not.toBe(before?.['id']);
    });
  });

  it('outlives the server, and is forgotten by the next one where that was killed on the way', async () => {
    await put('shop-pr-16');
    await ready('shop-pr-16');
    const [before] = await instances('shop-pr-16');
    await server.kill();
    await server.start();
    expect(await ready('shop-pr-16')).toMatchObject({ image: IMAGE });
    expect((await instances('shop-pr-16')).map(({ id }) => id)).toEqual([before?.['id']]);
    await admin('DELETE', '/previews/shop-pr-16');
    await server.kill();
    await server.start();
    await gone('shop-pr-16');
  });

  it('gives way to a template of the file that takes its name', async () => {
    await put('shop-pr-17');
    await ready('shop-pr-17');
    await write([HELLO, SHOP, { ...HELLO, name: 'shop-pr-17' }]);
    const { json } = await admin('POST', '/templates/reload', { dry_run: true });
    expect(json['warnings']).toEqual([expect.stringContaining('The preview shop-pr-17 is not offered: the file has')]);
    await admin('POST', '/templates/reload', {});
    await eventually(async () => expect(await valkey.hkeys('previews')).toEqual([]));
    await eventually(async () => expect((await acquire('shop-pr-17')).status).toBe(201));
    expect((await put('shop-pr-17')).json['code']).toBe('preview_name_taken');
    for (const { id } of await instances('shop-pr-17')) await admin('DELETE', `/instances/${String(id)}`);
  });

  it('is not offered while the file no longer allows it, and says so', async () => {
    await put('shop-pr-18');
    await ready('shop-pr-18');
    await write([HELLO, { ...SHOP, previews: undefined }]);
    await admin('POST', '/templates/reload', {});
    expect((await admin('GET', '/previews/shop-pr-18')).json).toMatchObject({
      state: 'refused',
      why: 'the template shop does not let previews be made any more',
    });
    expect((await acquire('shop-pr-18')).status).toBe(410);
    await write([HELLO, SHOP]);
    await admin('POST', '/templates/reload', {});
    await ready('shop-pr-18');
  });

  it('does not have a file taken that was changed and not reloaded', async () => {
    await write([HELLO, SHOP, { ...HELLO, name: 'half-done' }]);
    await put('shop-pr-19');
    await ready('shop-pr-19');
    expect((await acquire('half-done')).json['code']).toBe('unknown_template');
  });

  it.each([
    ['another image', { image: 'docker.io/library/miner:1' }, 403, 'preview_not_allowed'],
    ['the repository beyond the tag', { image: 'localhost/acme/shop:pr-1/evil' }, 403, 'preview_not_allowed'],
    ['a digest that is not allowed', { image: `localhost/acme/shop:pr-1@sha256:${'0'.repeat(64)}` }, 403, undefined],
    ['a template without previews', { from: 'hello' }, 403, 'preview_not_allowed'],
    ['a template that is not there', { from: 'nobody' }, 404, 'unknown_template'],
    ['an end after the longest', { for_seconds: 3 * 24 * 3600 }, 400, 'invalid_request'],
    ['an end in the past', { ends_at: '2020-01-01T00:00:00Z' }, 400, 'invalid_request'],
    ['two ends', { ends_at: '2099-01-01T00:00:00Z', for_seconds: 60 }, 400, 'invalid_request'],
    ['more than the API knows', { pool: 7 }, 400, 'invalid_request'],
  ])('is refused with %s', async (_, body, status, code) => {
    const answer = await put('shop-pr-20', body);
    expect(answer.status).toBe(status);
    if (code !== undefined) expect(answer.json['code']).toBe(code);
    expect(await valkey.hexists('previews', 'shop-pr-20')).toBe(0);
  });

  it('is refused under the name of a template, and beyond as many as may be', async () => {
    expect((await put('hello')).json['code']).toBe('preview_name_taken');
    const answers = await Promise.all(['shop-a', 'shop-b', 'shop-c', 'shop-d'].map((name) => put(name)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 409, 409]);
    expect(answers.find(({ status }) => status === 409)?.json).toMatchObject({ code: 'preview_limit' });
  });

  it('is put, listed and removed by the command', async () => {
    const previews = (...args: string[]) => run('key', 'previews', ...args);
    expect(await previews('list')).toEqual({ code: 0, output: 'There are no previews.\n' });
    const done = await previews('put', 'shop-pr-21', '--from', 'shop', '--image', IMAGE, '--for', '2h');
    expect([done.code, done.output]).toEqual([
      0,
      expect.stringMatching(/for 2 h\.\nVisitors click at .*\/try\/shop-pr-21/),
    ]);
    expect((await previews('list')).output).toMatch(/shop-pr-21 +shop +localhost\/acme\/shop:pr-12-aaa/);
    const refused = await previews('put', 'shop-pr-22', '--from', 'shop', '--image', 'docker.io/library/miner:1');
    expect([refused.code, refused.output]).toEqual([1, expect.stringContaining('localhost/acme/shop:pr-*')]);
    expect((await previews('remove', 'shop-pr-21')).code).toBe(0);
    expect((await previews('remove', 'shop-pr-99')).output).toContain('There is no preview named "shop-pr-99"');
    const { json } = await admin('GET', '/audit');
    expect(JSON.stringify(json)).toContain('preview.put');
  });
});

describe('the key of a build', () => {
  beforeEach(async () => {
    await write([HELLO, SHOP, DOCS]);
    await admin('POST', '/templates/reload', {});
    expect((await put('docs-pr-1', { from: 'docs', image: DOCS_IMAGE })).status).toBe(200);
  });

  it('puts, lists and removes previews by the command, under its own name, and does nothing else', async () => {
    const done = await run('shop-key', 'previews', 'put', 'shop-pr-31', '--from', 'shop', '--image', IMAGE);
    expect([done.code, done.output]).toEqual([0, expect.stringContaining('a copy of shop')]);
    const { json } = await admin('GET', '/previews/shop-pr-31');
    expect(json['by']).toMatch(/^key:[0-9a-f]{8}$/);
    expect(json['by']).not.toBe((await admin('GET', '/previews/docs-pr-1')).json['by']);
    const listed = await run('shop-key', 'previews', 'list');
    expect(listed.output).toMatch(/shop-pr-31 .* key:[0-9a-f]{8}\n/);
    expect(listed.output).not.toContain('docs-pr-1');
    const refused = await run('shop-key', 'instances', 'list');
    expect([refused.code, refused.output]).toEqual([1, expect.stringContaining('with the role previews')]);
    expect((await run('shop-key', 'previews', 'remove', 'shop-pr-31')).code).toBe(0);
  });

  it('is not what a command on the host of the server sends', async () => {
    expect((await run('keys', 'instances', 'list')).code).toBe(0);
  });

  it('for one template does not see, put, take over or remove those of another', async () => {
    const docs = { from: 'docs', image: DOCS_IMAGE };
    const tries: [Answer, number, string][] = [
      [await ask(SHOP_KEY, 'GET', '/previews/docs-pr-1'), 404, 'unknown_preview'],
      [await ask(SHOP_KEY, 'DELETE', '/previews/docs-pr-1'), 404, 'unknown_preview'],
      [await ask(SHOP_KEY, 'PUT', '/previews/docs-pr-2', docs), 403, 'role_too_low'],
      [await ask(SHOP_KEY, 'PUT', '/previews/docs-pr-1', { from: 'shop', image: IMAGE }), 409, 'preview_name_taken'],
    ];
    expect(tries.map(([{ status, json }]) => [status, json['code']])).toEqual(
      tries.map(([, status, code]) => [status, code]),
    );
    expect((await ask(SHOP_KEY, 'GET', '/previews')).json).toEqual({ previews: [] });
    expect(await ready('docs-pr-1')).toMatchObject({ from: 'docs', image: DOCS_IMAGE });
  });

  it('for all sees and removes those of each', async () => {
    const { previews } = (await ask(BUILDS_KEY, 'GET', '/previews')).json as { previews: { name: string }[] };
    expect(previews.map(({ name }) => name)).toEqual(['docs-pr-1']);
    expect((await ask(BUILDS_KEY, 'DELETE', '/previews/docs-pr-1')).status).toBe(204);
  });
});

describe('a template with an end', () => {
  it('is offered until then, and its visitor goes on', async () => {
    const offerUntil = async (ends: string): Promise<void> => {
      await write([HELLO, SHOP, { ...HELLO, name: 'course', ends_at: ends }]);
      expect((await admin('POST', '/templates/reload', {})).status).toBe(200);
    };
    const offered = async (): Promise<readonly object[]> => {
      const { templates } = (await (await fetch(`${server.api}/api/v1/templates`)).json()) as { templates: object[] };
      return templates.filter((each) => 'ends_at' in each);
    };
    const states = async () => (await instances('course')).map(({ state }) => state);
    const later = '2099-01-01T00:00:00.000Z';
    await offerUntil(later);
    expect(await offered()).toMatchObject([{ name: 'course', ends_at: later }]);
    const visit = await eventually(async () => {
      const { status, json } = await acquire('course');
      expect(status).toBe(201);
      return `${server.api}/api/v1/demo/${String(json['id'])}`;
    });
    await eventually(async () => expect(await states()).toContain('ready'));
    const endsAtMs = Date.now() + 2_000;
    await offerUntil(new Date(endsAtMs).toISOString());
    await eventually(async () => expect(await offered()).toEqual([]));
    expect(Date.now()).toBeGreaterThanOrEqual(endsAtMs);
    await eventually(async () => expect(await states()).not.toContain('ready'));
    expect(await acquire('course')).toMatchObject({ status: 410, json: { code: 'template_ended' } });
    expect(await (await fetch(visit)).json()).toMatchObject({ template: 'course', state: 'assigned' });
    expect((await fetch(visit, { method: 'DELETE' })).status).toBe(204);
  });

  it('may not be the first, and needs a time zone', async () => {
    await write([
      { ...HELLO, ends_at: '2099-01-01T00:00:00Z' },
      { ...SHOP, ends_at: '2099-01-01 00:00' },
    ]);
    const { json } = await admin('POST', '/templates/reload', { dry_run: true });
    expect(json['detail']).toMatch(/templates\[0\]\.ends_at: the first template is the default/);
    expect(json['detail']).toMatch(/templates\[1\]\.ends_at .*time zone/);
  });
});
