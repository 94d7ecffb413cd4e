import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { launchSimulatedEngine, type LaunchedSimulatedEngine } from '../../src/runtime/simulated/launch.ts';
import { OPERATOR_KEY } from '../support/operator.ts';
import { ServerProcess } from '../support/server-process.ts';

const FOLDER = fileURLToPath(new URL('../../deploy/pr-preview/', import.meta.url));
const TOKEN = 'the-token-of-the-job';
const KEY = 'a-key-that-builds-have';
const SHOP = {
  name: 'shop',
  image: 'localhost/acme/shop:1',
  port: 80,
  pool: { target: 1, max: 2 },
  previews: { images: ['localhost/acme/shop:pr-*'], max: 5 },
};

/** Whose it is as GitHub and as GitLab say it. */
interface Comment {
  readonly id: number;
  body: string;
  readonly user: { readonly type: 'User' | 'Bot' };
  readonly author_association: 'NONE' | 'MEMBER';
  readonly author: { readonly id: number };
}

const STRANGER = { user: { type: 'User' }, author_association: 'NONE', author: { id: 1 } } as const;
const JOB = { user: { type: 'Bot' }, author_association: 'NONE', author: { id: 2 } } as const;

/** What of a forge's API the script speaks: comments of one request, listed, written and changed, and who asks. */
interface Forge {
  readonly comments: Comment[];
  readonly calls: string[];
  /** Answers every call with it. */
  refuses: number | undefined;
}

let dir: string;
let engine: LaunchedSimulatedEngine;
let server: ServerProcess;
let adminUrl: string;
let listener: Server;
let forge: Forge;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tin-pr-preview-'));
  await writeFile(join(dir, 'keys'), `${OPERATOR_KEY}\npreviews@shop:${KEY}\n`, { mode: 0o600 });
  engine = await launchSimulatedEngine({ socketPath: join(dir, 'engine.sock') });
  const adminPort = await freePort();
  adminUrl = `http://127.0.0.1:${adminPort}`;
  server = await ServerProcess.launch({
    engine: 'simulated',
    engineSocket: engine.socketPath,
    ports: 30,
    templates: [SHOP],
    env: { ADMIN_ADDR: `127.0.0.1:${adminPort}`, OPERATOR_KEYS_FILE: join(dir, 'keys') },
  });
  listener = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      forge.calls.push(`${method} ${url}`);
      const known = headers.authorization === `Bearer ${TOKEN}` || headers['private-token'] === TOKEN;
      if (!known || forge.refuses !== undefined) {
        response.writeHead(known ? (forge.refuses ?? 500) : 401).end('{}');
        return;
      }
      const text = Buffer.concat(chunks).toString();
      const body = text === '' ? '' : (JSON.parse(text) as { body: string }).body;
      const changed = forge.comments.find(({ id }) => url.endsWith(`/${id}`));
      if (method === 'POST') forge.comments.push({ id: 100 + forge.comments.length, body, ...JOB });
      else if (changed !== undefined) changed.body = body;
      response.writeHead(200).end(JSON.stringify(url === '/user' ? JOB.author : forge.comments));
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  listener.close();
  await server[Symbol.asyncDispose]();
  await engine[Symbol.asyncDispose]();
  await rm(dir, { recursive: true });
});
beforeEach(() => {
  forge = { comments: [{ id: 7, body: 'Looks good to me', ...STRANGER }], calls: [], refuses: undefined };
});

async function run(
  what: string,
  number: string,
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<{ readonly code: number | null; readonly output: string }> {
  const { port } = listener.address() as AddressInfo;
  const child = spawn('sh', [join(FOLDER, 'preview.sh'), what], {
    env: {
      PATH: process.env['PATH'],
      ...{ TRY_IT_NOW_URL: adminUrl, TRY_IT_NOW_KEY: KEY, PREVIEW_FROM: 'shop', REQUEST_NUMBER: number },
      ...{ PREVIEW_IMAGE: `localhost/acme/shop:pr-${number}-a`, FORGE: 'github', FORGE_TOKEN: TOKEN },
      ...{ FORGE_API: `http://127.0.0.1:${port}`, FORGE_PROJECT: 'acme/shop' },
      ...env,
    },
  });
  const output: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => output.push(chunk));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, output: Buffer.concat(output).toString() };
}

describe('the script that brings previews to requests', () => {
  it('puts a preview, waits for it, and keeps one comment with the button until it is removed', async () => {
    const outputs = join(dir, 'outputs');
    const put = await run('put', '12', { GITHUB_OUTPUT: outputs });
    expect([put.code, put.output]).toEqual([
      0,
      expect.stringMatching(/shop-pr-12 is ready at http\S+\/try\/shop-pr-12\n$/),
    ]);
    expect(await readFile(outputs, 'utf8')).toMatch(/^name=shop-pr-12\nurl=http\S+\/try\/shop-pr-12\n$/);
    expect(forge.comments).toHaveLength(2);
    expect(forge.comments[1]?.body).toMatch(
      /^<!-- try-it-now:shop-pr-12 -->\n\[!\[Try it now\]\(http\S+\/badge\/shop-pr-12\.svg\)\]\(http\S+\/shop-pr-12/,
    );
    expect((await run('put', '12', { PREVIEW_IMAGE: 'localhost/acme/shop:pr-12-b' })).code).toBe(0);
    expect(forge.comments).toHaveLength(2);
    expect(forge.comments[1]?.body).toContain('localhost/acme/shop:pr-12-b');
    expect((await run('remove', '12')).code).toBe(0);
    expect(forge.comments.map(({ body }) => body)).toEqual([
      'Looks good to me',
      '<!-- try-it-now:shop-pr-12 -->\nThe preview is gone.',
    ]);
    expect(put.output).not.toMatch(new RegExp(`${KEY}|${TOKEN}`));
  });

  it('speaks with GitLab, too, and removes what is not there without a word in the request', async () => {
    const gitlab = { FORGE: 'gitlab', FORGE_PROJECT: 'acme/shop' };
    expect((await run('put', '13', gitlab)).code).toBe(0);
    expect(forge.calls.at(-1)).toBe('POST /projects/acme%2Fshop/merge_requests/13/notes');
    expect((await run('put', '13', gitlab)).code).toBe(0);
    expect(forge.calls.at(-1)).toBe('PUT /projects/acme%2Fshop/merge_requests/13/notes/101');
    const none = await run('remove', '99', gitlab);
    expect([none.code, none.output]).toEqual([0, 'preview: there is no shop-pr-99\n']);
    expect(forge.comments).toHaveLength(2);
  });

  it.each(['github', 'gitlab'])('leaves alone what a stranger wrote with its mark (%s)', async (FORGE) => {
    const trap = '<!-- try-it-now:shop-pr-16 -->\nnot the button';
    forge.comments.push({ id: 8, body: trap, ...STRANGER });
    expect((await run('put', '16', { FORGE })).code).toBe(0);
    expect(forge.comments.map(({ body }) => body)).toEqual([
      'Looks good to me',
      trap,
      expect.stringContaining('[![Try it now]'),
    ]);
  });

  it('offers the preview where the forge refuses the comment, and says so', async () => {
    forge.refuses = 403;
    const { code, output } = await run('put', '14');
    expect([code, output]).toEqual([0, expect.stringContaining('the comment could not be written (status 403)')]);
  });

  it.each([
    ['no key', { TRY_IT_NOW_KEY: undefined }, /TRY_IT_NOW_KEY is not set; it is a key of that server for previews/],
    ['a wrong key', { TRY_IT_NOW_KEY: 'wrong-and-long-enough-to-be-one' }, /did not take shop-pr-15: key_wrong/],
    ['a template that its key is not for', { PREVIEW_FROM: 'nobody' }, /role_too_low.*of the template shop alone/],
    ['an image that is not allowed', { PREVIEW_IMAGE: 'docker.io/library/miner:1' }, /preview_not_allowed.*shop:pr-\*/],
    ['no number', { REQUEST_NUMBER: '12; id' }, /REQUEST_NUMBER is '12; id'; it has to be a number/],
    ['a name that is none', { PREVIEW_NAME: '../pools' }, /PREVIEW_NAME is '\.\.\/pools'/],
    ['a time that is none', { PREVIEW_SECONDS: 'soon' }, /PREVIEW_SECONDS is 'soon'/],
    ['no server', { TRY_IT_NOW_URL: 'http://127.0.0.1:9' }, /did not take shop-pr-15: .*onnect/],
    ['a forge of its own', { FORGE: 'gitea' }, /FORGE is 'gitea'/],
  ])('fails with %s, says why, and writes no comment', async (_, env, why) => {
    const { code, output } = await run('put', '15', env);
    expect([code, output]).toEqual([1, expect.stringMatching(why)]);
    expect(forge.comments).toHaveLength(1);
  });
});

it('is run by the action with everything in the environment, and nothing of strangers in the command', async () => {
  const action = parse(await readFile(join(FOLDER, 'action.yml'), 'utf8')) as {
    runs: { steps: { run: string; env: Record<string, string>; uses?: string }[] };
  };
  const [step, ...more] = action.runs.steps;
  expect(more).toEqual([]);
  expect(step?.run).not.toContain('${{');
  const script = await readFile(join(FOLDER, 'preview.sh'), 'utf8');
  const given = Object.keys(step?.env ?? {});
  for (const name of given.filter((each) => each !== 'WHAT')) expect(script).toContain(name);
  const required = [...script.matchAll(/^ *need ([A-Z_]+) /gm)].map(([, name = '']) => name);
  expect(required).toContain('TRY_IT_NOW_KEY');
  expect(given).toEqual(expect.arrayContaining([...required, 'FORGE', 'WHAT']));
  expect(step?.run).toBe('sh "$GITHUB_ACTION_PATH/preview.sh" "$WHAT"');
});
