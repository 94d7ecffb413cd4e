import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { program } from '../../src/cli/program.ts';
import { anchors, bashBlocks } from '../support/page-blocks.ts';

const PAGE = 'docs/operations.md';
const page = readFileSync(PAGE, 'utf8');

describe(PAGE, () => {
  it('has what alerts link to', () => {
    const linked = [
      ...readFileSync('deploy/prometheus/rules/try-it-now.yaml', 'utf8').matchAll(/operations\.md#([\w-]+)/g),
    ].map(([, anchor = '']) => anchor);
    expect(linked.length).toBeGreaterThan(10);
    expect(anchors(page)).toEqual(expect.arrayContaining(linked));
  });

  it('has links that lead somewhere', () => {
    const dead = [...page.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)].flatMap(([link, path = '', anchor]) => {
      const target = path === '' ? PAGE : join(dirname(PAGE), path);
      return existsSync(target) && (anchor === undefined || anchors(readFileSync(target, 'utf8')).includes(anchor))
        ? []
        : [link];
    });
    expect(dead).toEqual([]);
  });

  it('names no command and no option that there is not, in its text either', () => {
    // Not where it is the name of a unit.
    const shown = [...page.matchAll(/(?<!-u |systemctl [\w -]+ )try-it-now ((?:[a-z-]+ ?)+)([^`\n)|&;]*)/g)];
    expect(shown.length).toBeGreaterThan(50);
    expect(
      shown.filter(([, words = '', rest = '']) => !exists(words.trim().split(' '), rest)).map(([text]) => text),
    ).toEqual([]);
  });

  it('quotes what the program says in the words it says it in', () => {
    const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts'))
      .map((path) => readFileSync(join('src', path), 'utf8'))
      .join('\n')
      .replaceAll("\\'", "'");
    const [, troubleshooting = ''] = page.split(/^## (?=Troubleshooting|Who did what)/m);
    const quoted = [...troubleshooting.matchAll(/^\| ([^|]+) \|/gm)].flatMap(([, says = '']) =>
      [...says.matchAll(/`([^`]+)`/g)].map(([, quote = '']) => quote),
    );
    // Names and numbers aside.
    const phrases = quoted
      .flatMap((quote) => quote.split(/…|\b[NX]\b|\bIMAGE\b|^Podman\b/))
      .map((phrase) => phrase.trim())
      .filter((phrase) => phrase.length > 3);
    expect(phrases.length).toBeGreaterThan(30);
    expect(phrases.filter((phrase) => !sources.includes(phrase))).toEqual([]);
  });

  it('hides no shell block behind another name', () => {
    expect([...page.matchAll(/^ *```(\w+)/gm)].map(([, language]) => language)).toEqual(
      bashBlocks(page).map(() => 'bash'),
    );
  });
});

/** Words after the command's own name are its arguments. */
function exists(words: readonly string[], rest: string): boolean {
  let command: Command | undefined = program({});
  for (const word of words) {
    const next: Command | undefined = command.commands.find((each) => [each.name(), ...each.aliases()].includes(word));
    if (next === undefined) {
      if (command.commands.length > 0) return false;
      break;
    }
    command = next;
  }
  const options = [...command.options.map(({ long }) => long), '--help'];
  return [...`${words.join(' ')} ${rest}`.matchAll(/--[a-z-]+/g)].every(([option]) => options.includes(option));
}
