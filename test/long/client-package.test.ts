import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Releasers } from '../../src/lifecycle/releasers.ts';
import { startStack } from '../support/stack.ts';
import { silent } from '../support/store.ts';
import { template } from '../support/templates.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PACKAGE = join(ROOT, 'packages/client');

describe('the package of the client', () => {
  const releasers = new Releasers();
  let project: string;
  let packed: readonly string[];

  // As a project that has installed it.
  beforeAll(async () => {
    project = await mkdtemp(join(tmpdir(), 'tin-client-'));
    releasers.push('project', () => rm(project, { recursive: true }));
    const { stdout } = await run('npm', ['run', 'package', '--', '--json', '--pack-destination', project], {
      cwd: PACKAGE,
    });
    const [{ filename, files }] = JSON.parse(/\[\s*\{[^]*$/.exec(stdout)?.[0] ?? '') as [
      { filename: string; files: { path: string }[] },
    ];
    packed = files.map(({ path }) => path).sort();
    await run('tar', ['-xzf', join(project, filename), '-C', project]);
    await mkdir(join(project, 'node_modules/@try-it-now'), { recursive: true });
    await rename(join(project, 'package'), join(project, 'node_modules/@try-it-now/client'));
    await mkdir(join(project, 'node_modules/@noble'));
    for (const name of [
      '@noble/hashes',
      'eventsource',
      'eventsource-parser',
      'openapi-fetch',
      'openapi-typescript-helpers',
    ])
      await symlink(join(ROOT, 'node_modules', name), join(project, 'node_modules', name));
  });
  afterAll(() => releasers.releaseAll(silent));

  it('holds what a project needs and nothing else', () => {
    const modules = [
      'api',
      'client',
      'connection',
      'events',
      'index',
      'line',
      'pause',
      'problem-error',
      'proof',
      'secret',
      'visit',
    ];
    const built = modules.flatMap((name) => [`dist/${name}.d.ts`, `dist/${name}.js`]);
    expect(packed).toEqual(['LICENSE', 'README.md', 'package.json', ...built].sort());
  });

  it('does what its README shows, with types', async () => {
    const stack = await startStack({ templates: [template({ name: 'hello', openAllow: ['/cart'] })] });
    releasers.push('stack', () => stack[Symbol.asyncDispose]());
    const readme = await readFile(join(PACKAGE, 'README.md'), 'utf8');
    const shown = [...readme.matchAll(/```js\n([^]*?)```/g)].map(([, code = '']) => code);
    expect(shown).toHaveLength(2);
    const [first = '', second = ''] = shown;
    const events = second.replace('const visit', 'const another').replaceAll(/^visit\./gm, 'another.');
    const program = `${first}${events}await (await another.ready).release();\n`.replace(
      'http://localhost:8080',
      stack.api,
    );
    await writeFile(join(project, 'shown.mts'), program);
    await writeFile(join(project, 'shown.mjs'), program);
    const strict = ['--strict', '--noEmit', '--skipLibCheck', '--target', 'es2022', '--module', 'nodenext'];
    await run(
      join(ROOT, 'node_modules/.bin/tsc'),
      [...strict, '--typeRoots', join(ROOT, 'node_modules/@types'), '--types', 'node', 'shown.mts'],
      {
        cwd: project,
      },
    );
    const { stdout } = await run(process.execPath, ['shown.mjs'], { cwd: project });
    expect(stdout).toMatch(/^http:\S+\/ \d+ s\n(place 1, about \S+ s\n)*open http:\S+\/cart\n(\d+ s left\n)*over\n$/);
  });
});
