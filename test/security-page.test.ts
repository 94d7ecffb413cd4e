import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { DATABASE_ENGINES } from '../src/domain/database.ts';
import { PROGRAMS as ASKED_IN_TURN } from './hostile/kernel-answers.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PAGE = readFileSync(join(ROOT, 'docs/security.md'), 'utf8');
const PROGRAMS = readdirSync(join(ROOT, 'test/hostile/attacks')).filter((file) => !isLibrary(file));
/** Attack, what stops it, shown by, what remains. */
const ROWS = tableUnder('## Attacks that were tried');

/** What other programs load, which attacks nothing by itself. */
function isLibrary(file: string): boolean {
  return !readFileSync(join(ROOT, 'test/hostile/attacks', file), 'utf8').startsWith('#!');
}

function tableUnder(heading: string): string[][] {
  const [, section = ''] = PAGE.split(`${heading}\n`);
  const lines = (section.split('\n#')[0] ?? '').split('\n').filter((line) => line.startsWith('| '));
  return lines.slice(1).map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );
}

function shownBy(row: readonly string[]): string[] {
  return [...(row[2] ?? '').matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
}

it('says of each attack what stops it, and which tests or programs show it', () => {
  expect(ROWS.length).toBeGreaterThan(30);
  for (const row of ROWS) {
    const [attack = '', stops = ''] = row;
    expect([row.length, attack !== '', stops !== '', shownBy(row).length > 0], attack).toEqual([4, true, true, true]);
    // That files exist is checked for all pages: they are named by their whole path.
    for (const name of shownBy(row)) expect(name, attack).toMatch(/^(?:(?:test|src)\/.+\.ts|[\w-]+\.pl)$/);
  }
});

it('names every program that attacks, and none that is not there', () => {
  const named = new Set(ROWS.flatMap(shownBy).filter((name) => name.endsWith('.pl')));
  expect([...named].sort()).toEqual([...PROGRAMS].sort());
});

/** Without lines of comments; what is said of `${engine}` is said of each. */
const TESTS = ['test/hostile', 'test/contract', 'test/long', 'test/drills/crowd']
  .flatMap((folder) =>
    readdirSync(join(ROOT, folder))
      .filter((file) => file.endsWith('.ts'))
      .map((file) => readFileSync(join(ROOT, folder, file), 'utf8').replace(/^ *(?:\/\/|\/?\*).*$/gm, '')),
  )
  .flatMap((text) => DATABASE_ENGINES.map((engine) => text.replaceAll('${engine}', engine)));

it.each(PROGRAMS)('has %s run by a test, or by a hostile crowd', (program) => {
  const name = program.replace(/\.pl$/, '');
  // Asked for by its address; or the first thing that a function is told, or what an attack of a list is; or a file.
  const run = new RegExp(`/cgi-bin/${name}[?'\`]|(?:\\(|program: |attack: )'${name}[?']|ATTACKS, '${name}\\.pl'`);
  expect(name in ASKED_IN_TURN || TESTS.some((text) => run.test(text))).toBe(true);
});
