import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { whyWithout } from '../support/container-engine.ts';
import { Program } from '../support/program.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
/** No engine is there, and none is started. */
const NO_ENGINE = { CONTAINER_MODE: 'docker', DOCKER_SOCKET: '/nowhere/docker.sock', PATH: '/nowhere' };

const NOBODY = 65_534;

let dir: string;
const at = (name: string): string => join(dir, name);
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tin-templates-'));
  await writeFile(at('compose.yaml'), 'services: { web: { image: localhost/app, ports: ["8080:80"] } }\n');
  await writeFile(at('mine.yaml'), 'mine');
  await mkdir(at('folder'));
});
afterAll(() => rm(dir, { recursive: true }));

async function run(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: number | null; readonly output: string }> {
  await using program = new Program(args, env);
  return { code: await program.exitCode, output: program.output };
}

describe('a template that is to be saved', () => {
  it('is, and never over a file that is there', async () => {
    const args = ['templates', 'from-compose', at('compose.yaml'), '--output', at('new.yaml')];
    expect(await run(args)).toMatchObject({ code: 0, output: expect.stringContaining('Written to') as string });
    const saved = await readFile(at('new.yaml'), 'utf8');
    expect(saved).toContain('image: localhost/app');
    expect(await run(args)).toEqual({ code: 1, output: `${at('new.yaml')} is there already; name a new file\n` });
    expect(await readFile(at('new.yaml'), 'utf8')).toBe(saved);
  });

  it.each([
    ['mine.yaml', /mine\.yaml is there already; name a new file\n$/],
    ['nowhere/new.yaml', /nowhere\/new\.yaml cannot be written: ENOENT/],
    ['mine.yaml/new.yaml', /new\.yaml cannot be written: .*mine\.yaml is no folder\n$/],
    ['folder', /folder cannot be written: it is a folder\n$/],
  ])('is refused as %s before anything is tried', async (name, said) => {
    for (const command of [['templates', 'from-image'], ['try']]) {
      const { code, output } = await run([...command, 'localhost/app', '--output', at(name)], NO_ENGINE);
      expect([code, output]).toEqual([1, expect.stringMatching(said)]);
    }
    expect(await readFile(at('mine.yaml'), 'utf8')).toBe('mine');
  });
});

const withoutPodman = whyWithout('podman') !== undefined;

it.skipIf(withoutPodman)('is tried by root alone where Podman has to be started for it', async () => {
  const settings = { PODMAN_SOCKET: '/nowhere/podman.sock', DOCKER_SOCKET: '/nowhere/docker.sock' };
  await using program = new Program(['try', 'localhost/app', '--', 'a b'], settings, 'pipe', MAIN, NOBODY);
  expect(await program.exitCode).toBe(1);
  expect(program.output).toMatch(/only root may start Podman .*: sudo \S+ \S+main\.js try localhost\/app -- 'a b'\n$/);
});

describe('a reader that has seen enough', () => {
  const bash = (line: string): Promise<{ stderr: string }> =>
    promisify(execFile)('bash', ['--norc', '-c', line, process.execPath, MAIN, at('compose.yaml')]);

  it.each(['| true', '2>&1 | true'])('is no failure, as with %s', async (pipe) => {
    const { stderr } = await bash(`"$0" "$1" templates from-compose "$2" ${pipe}; exit "\${PIPESTATUS[0]}"`);
    expect(stderr).toBe('');
  });

  it('is told from a disk that is full', async () => {
    const stderr = expect.stringMatching(/^The output cannot be written: ENOSPC.*\n$/) as string;
    await expect(bash('"$0" "$1" templates from-compose "$2" > /dev/full')).rejects.toMatchObject({ code: 1, stderr });
  });
});
