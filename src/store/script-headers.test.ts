import { readFileSync, readdirSync } from 'node:fs';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const STORE = new URL('./', import.meta.url);
const LUA = new URL('./lua/', import.meta.url);

/** How many elements there are, and whether any number of others may follow. */
interface Count {
  readonly fixed: number;
  readonly more: boolean;
}

interface Header {
  readonly purpose: string;
  readonly keys: Count;
  readonly args: Count;
  readonly returns: boolean;
  readonly body: string;
}

interface Call {
  readonly where: string;
  readonly name: string;
  readonly keys: Count;
  readonly args: Count;
}

const scripts = new Map(
  readdirSync(LUA)
    .filter((file) => file.endsWith('.lua') && file !== 'prelude.lua')
    .map((file): [string, Header] => [
      file.slice(0, -'.lua'.length),
      parseHeader(readFileSync(new URL(file, LUA), 'utf8')),
    ]),
);
const sources = readdirSync(STORE)
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
  .map((file) =>
    ts.createSourceFile(file, readFileSync(new URL(file, STORE), 'utf8'), ts.ScriptTarget.Latest, /* parents */ true),
  );
const calls = sources.flatMap(callsIn);

describe('The headers of the scripts', () => {
  it('belong to the scripts that the store loads', () => {
    expect(loadedNames().toSorted()).toEqual([...scripts.keys()].toSorted());
  });

  it('have each script called', () => {
    expect([...new Set(calls.map(({ name }) => name))].toSorted()).toEqual([...scripts.keys()].toSorted());
  });

  it.each([...scripts])('%s: says what it does, and names the keys and arguments its body uses', (_, header) => {
    expect(header.purpose).toMatch(/^-- (?!KEYS|ARGV|Returns)\S/);
    expect(header.returns).toBe(true);
    expect(unmatched('KEYS', header.keys, header.body)).toEqual([]);
    expect(unmatched('ARGV', header.args, header.body)).toEqual([]);
  });

  it('have before them a prelude of which each paragraph defines one name', () => {
    const paragraphs = readFileSync(new URL('prelude.lua', LUA), 'utf8').split(/\n{2,}/);
    const defined = paragraphs.map((paragraph) => paragraph.match(/^local (?:function )?\w+/gm)?.length);
    expect(defined).toEqual(paragraphs.map(() => 1));
  });

  it.each(calls)('$where: $name is given as many keys and arguments as it asks for', ({ name, keys, args }) => {
    const header = scripts.get(name);
    expect(header && { keys: satisfies(keys, header.keys), args: satisfies(args, header.args) }).toEqual({
      keys: true,
      args: true,
    });
  });
});

function parseHeader(text: string): Header {
  const lines = text.split('\n');
  const end = lines.findIndex((line) => !line.startsWith('--'));
  const head = lines.slice(0, end);
  return {
    purpose: head[0] ?? '',
    keys: declared('KEYS', head),
    args: declared('ARGV', head),
    returns: head.some((line) => line.startsWith('-- Returns ')),
    body: lines
      .slice(end)
      .map((line) => line.replace(/--.*$/, ''))
      .join('\n'),
  };
}

/** From lines like `-- KEYS[1] a  [2] b` and `-- ARGV[3] c  [4…] any number of d`. */
function declared(table: 'KEYS' | 'ARGV', head: readonly string[]): Count {
  const indexes = head
    .filter((line) => line.startsWith(`-- ${table}[`))
    .flatMap((line) => [...line.matchAll(/(?:^-- (?:KEYS|ARGV)| {2})\[(\d+)(…?)\]/g)]);
  expect(indexes.map(([, index]) => Number(index))).toEqual(indexes.map((_, at) => at + 1));
  const open = indexes.findIndex(([, , ellipsis]) => ellipsis !== '');
  if (open >= 0) expect(open).toBe(indexes.length - 1);
  return { fixed: open >= 0 ? open : indexes.length, more: open >= 0 };
}

/** What is declared and not used, and what is used and not declared. A computed index may stand for any of them. */
function unmatched(table: 'KEYS' | 'ARGV', { fixed, more }: Count, body: string): string[] {
  const used = new Set([...body.matchAll(new RegExp(`${table}\\[(\\d+)\\]`, 'g'))].map(([, index]) => Number(index)));
  const computed = new RegExp(`${table}\\[(?!\\d+\\])|(?:ipairs|unpack)\\(${table}\\)`).test(body);
  const unused = Array.from({ length: fixed }, (_, at) => at + 1).filter((index) => !computed && !used.has(index));
  const undeclared = [...used].filter((index) => index > fixed && !more);
  return [
    ...unused.map((index) => `${table}[${index}] is not used`),
    ...undeclared.map((index) => `${table}[${index}] is not declared`),
    ...(more && !computed ? [`more ${table} are not used`] : []),
    ...(computed && fixed === 0 && !more ? [`${table} are not declared`] : []),
  ];
}

function satisfies(given: Count, asked: Count): boolean {
  return asked.more ? given.fixed >= asked.fixed : !given.more && given.fixed === asked.fixed;
}

function loadedNames(): string[] {
  const source = sources.find(({ fileName }) => fileName === 'scripts.ts');
  const list = source && constantArray(source, 'SCRIPT_NAMES');
  return list?.elements.filter(ts.isStringLiteral).map(({ text }) => text) ?? [];
}

function callsIn(source: ts.SourceFile): Call[] {
  const found: Call[] = [];
  const visit = (node: ts.Node): void => {
    ts.forEachChild(node, visit);
    if (!ts.isCallExpression(node) || !/\bscripts\.run(ForSeveral)?$/.test(node.expression.getText())) return;
    const [name, keys, args] = node.arguments;
    if (name === undefined || !ts.isStringLiteral(name)) throw new Error(`${source.fileName} runs a computed script`);
    const { line } = source.getLineAndCharacterOfPosition(node.getStart());
    found.push({
      where: `${source.fileName}:${line + 1}`,
      name: name.text,
      keys: countOf(source, keys),
      args: countOf(source, args),
    });
  };
  visit(source);
  return found;
}

/** Of an array in a call: a constant array spread into it counts as its elements, anything else as any number. */
function countOf(source: ts.SourceFile, given: ts.Expression | undefined): Count {
  if (given === undefined || !ts.isArrayLiteralExpression(given)) return { fixed: 0, more: true };
  let fixed = 0;
  let more = false;
  for (const element of given.elements) {
    const spread = ts.isSpreadElement(element) ? constantArray(source, element.expression.getText()) : undefined;
    if (!ts.isSpreadElement(element)) fixed += 1;
    else if (spread === undefined) more = true;
    else fixed += spread.elements.length;
  }
  return { fixed, more };
}

/** The array of `const name = […] as const`. */
function constantArray(source: ts.SourceFile, name: string): ts.ArrayLiteralExpression | undefined {
  let found: ts.ArrayLiteralExpression | undefined;
  const visit = (node: ts.Node): void => {
    ts.forEachChild(node, visit);
    if (!ts.isVariableDeclaration(node) || node.name.getText() !== name) return;
    const value = node.initializer;
    if (value && ts.isAsExpression(value) && ts.isArrayLiteralExpression(value.expression)) found = value.expression;
  };
  visit(source);
  return found;
}
