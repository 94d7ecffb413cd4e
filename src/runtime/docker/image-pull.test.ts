import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { connectEngine } from './engine-runtime.ts';
import { presentImages, pullImage, registryLogin } from './image-pull.ts';

const auth = Buffer.from('acme:s3cret:really').toString('base64');
const other = Buffer.from('somebody:else').toString('base64');

function fileOf(content: unknown): string {
  const folder = mkdtempSync(join(tmpdir(), 'tin-auth-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'auth.json');
  writeFileSync(file, JSON.stringify(content));
  return file;
}

it.each([
  ['https://index.docker.io/v1/', 'docker.io/acme/private:1', 'docker.io'],
  ['index.docker.io', 'docker.io/acme/private:1', 'docker.io'],
  ['registry-1.docker.io', 'docker.io/acme/private:1', 'docker.io'],
  ['docker.io', 'docker.io/acme/private:1', 'docker.io'],
  ['docker.io', 'index.docker.io/acme/private:1', 'docker.io'],
  ['docker.io/acme', 'docker.io/acme/private:1', 'docker.io'],
  ['docker.io/acme/private', 'docker.io/acme/private:1', 'docker.io'],
  ['quay.io/acme/app', 'quay.io/acme/app@sha256:0123', 'quay.io'],
  ['localhost:5000', 'localhost:5000/app', 'localhost:5000'],
  ['https://registry.example.org/v2/', 'registry.example.org/a/b/c:1', 'registry.example.org'],
])('finds the login for %s for %s', async (key, image, serveraddress) => {
  const file = fileOf({ auths: { 'other.example.org': { auth: other }, [key]: { auth } } });
  expect(await registryLogin(file, image)).toEqual({
    kind: 'login',
    authconfig: { username: 'acme', password: 's3cret:really', serveraddress },
  });
});

it('takes the one for the smallest part, and none for a name that only begins alike', async () => {
  const file = fileOf({ auths: { 'quay.io': { auth: other }, 'quay.io/acme': { auth } } });
  expect(await registryLogin(file, 'quay.io/acme/app:1')).toMatchObject({ authconfig: { username: 'acme' } });
  expect(await registryLogin(file, 'quay.io/acmeother/app:1')).toMatchObject({ authconfig: { username: 'somebody' } });
});

it('says which registry it has no login for', async () => {
  expect(await registryLogin(fileOf({ auths: { 'quay.io': { auth } } }), 'docker.io/acme/private:1')).toEqual({
    kind: 'none',
    why: 'REGISTRY_AUTH_FILE has no login for docker.io',
  });
  expect(await registryLogin(undefined, 'docker.io/acme/private:1')).toEqual({ kind: 'none', why: undefined });
});

it.each<[string, unknown, string]>([
  ['the store', { auths: { 'https://index.docker.io/v1/': {} }, credsStore: 'desktop' }, 'helper desktop'],
  ['a helper', { credHelpers: { 'docker.io': 'pass' } }, 'helper pass'],
  ['nothing that it names', { auths: { 'docker.io': {} } }, 'elsewhere'],
])('says that a login is kept by %s', async (_, content, keeper) => {
  const file = fileOf(content);
  expect(await registryLogin(file, 'docker.io/acme/private:1')).toEqual({
    kind: 'kept_elsewhere',
    why: expect.stringMatching(
      new RegExp(`has the login for docker.io .*${keeper}.*podman login --authfile ${file} docker.io`),
    ) as string,
  });
});

it.each([{}, { auth: 'x' }, []])('refuses a file that is none of credentials: %j', async (content) => {
  await expect(registryLogin(fileOf(content), 'docker.io/acme/private:1')).rejects.toThrow('not a file of credentials');
});

const SILENCE_MS = 1_000;

/** An engine that answers so, and how many of its requests are still open. */
async function engine(answers: (response: ServerResponse) => void): Promise<{
  readonly docker: ReturnType<typeof connectEngine>;
  readonly open: () => number;
}> {
  const folder = mkdtempSync(join(tmpdir(), 'tin-engine-'));
  const socketPath = join(folder, 'engine.sock');
  let open = 0;
  const server = createServer((request, response) => {
    open += 1;
    request.socket.once('close', () => (open -= 1));
    answers(response);
  }).listen(socketPath);
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  });
  return { docker: connectEngine(socketPath, Infinity, 0), open: () => open };
}

const nothing = (): void => undefined;
const line = (id: string): string => `${JSON.stringify({ id, progressDetail: { current: 1 } })}\n`;
const pull = { authconfig: undefined, onProgress: nothing, silenceMs: SILENCE_MS } as const;

describe('a fetch', () => {
  it.each<[string, (response: ServerResponse) => void]>([
    ['accepts it and says nothing', nothing],
    ['says that it has begun, and no more', (response) => response.writeHead(200).flushHeaders()],
    ['falls silent in the midst of it', (response) => response.writeHead(200).write(line('layer'))],
  ])('is over where the engine %s', async (_, answers) => {
    const { docker, open } = await engine(answers);
    await expect(pullImage(docker, 'registry.example.org/app:1', pull)).rejects.toThrow(
      'the registry said nothing for 1 minute',
    );
    await eventually(() => expect(open()).toBe(0));
  });

  it('is over, too, where the engine does not say what it has', async () => {
    const { docker, open } = await engine(nothing);
    await expect(presentImages(docker, SILENCE_MS)).rejects.toThrow('the engine said nothing for 1 minute');
    await eventually(() => expect(open()).toBe(0));
  });

  it.each<[string, (response: ServerResponse) => void]>([
    ['before it is accepted', nothing],
    ['in the midst of it', (response) => response.writeHead(200).write(line('layer'))],
  ])('is over, too, when whoever asked for it has enough %s', async (_, answers) => {
    const { docker, open } = await engine(answers);
    const enough = new AbortController();
    const pulling = pullImage(docker, 'registry.example.org/app:1', {
      ...pull,
      silenceMs: 60_000,
      signal: enough.signal,
    });
    await eventually(() => expect(open()).toBe(1));
    enough.abort();
    await expect(pulling).rejects.toThrow();
    await eventually(() => expect(open()).toBe(0));
  });

  it('goes on for as long as something is said', async () => {
    const { docker } = await engine((response) => {
      let left = 6;
      response.writeHead(200).flushHeaders();
      const saying = setInterval(() => {
        response.write(line(`layer ${left}`));
        left -= 1;
        if (left === 0) response.end();
        if (left === 0) clearInterval(saying);
      }, SILENCE_MS / 4);
    });
    await pullImage(docker, 'registry.example.org/app:1', pull);
  });
});
