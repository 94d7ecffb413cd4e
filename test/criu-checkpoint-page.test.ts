import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { program } from '../src/cli/program.ts';
import { ERROR_CATALOGUE } from '../src/domain/errors.ts';
import { anchors } from './support/page-blocks.ts';

const PAGE = 'docs/criu-checkpoint.md';
const page = readFileSync(PAGE, 'utf8');
const commands = program({}).commands.find((command) => command.name() === 'checkpoint')?.commands ?? [];

describe(PAGE, () => {
  it.each(Object.keys(ERROR_CATALOGUE).filter((code) => /checkpoint|restore|activation/.test(code)))(
    'tells what to do about %s',
    (code) => {
      expect(page).toContain(`| \`${code}\` |`);
    },
  );

  it.each(commands.map((command) => [command.name(), command] as const))(
    'shows the command %s with its options',
    (name, command) => {
      expect(page).toContain(`| \`try-it-now checkpoint ${name}`);
      for (const { long } of command.options) expect(page).toContain(long);
    },
  );

  it('shows no command that there is not', () => {
    const shown = [...page.matchAll(/try-it-now checkpoint ([a-z]+)/g)].map(([, name = '']) => name);
    expect(shown.length).toBeGreaterThan(6);
    expect(commands.map((command) => command.name())).toEqual(expect.arrayContaining(shown));
  });

  it('has links that lead somewhere', () => {
    for (const [, path = '', anchor] of page.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)) {
      const target = path === '' ? PAGE : join(dirname(PAGE), path);
      expect([target, existsSync(target)]).toEqual([target, true]);
      if (anchor !== undefined) expect(anchors(readFileSync(target, 'utf8'))).toContain(anchor);
    }
  });
});
