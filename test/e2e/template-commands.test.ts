import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Program } from '../support/program.ts';

/** No engine is there, and none is started. */
const NO_ENGINE = { CONTAINER_MODE: 'docker', DOCKER_SOCKET: '/nowhere/docker.sock', PATH: '/nowhere' };

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
