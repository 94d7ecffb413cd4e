/** The files that a template puts into its containers. */
import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describeError } from '../domain/errors.ts';
import type { InjectedFile } from '../domain/process-settings.ts';
import { ParseError, type Parser } from './parsers.ts';
import { containerFile, isWithin, readableFile } from './paths.ts';
import type { YamlSection } from './yaml-section.ts';

export interface FilesContext {
  /** Where the paths of sources start. */
  readonly folder: string;
  /** Folders that something else takes the place of when the container starts. */
  readonly covered: readonly string[];
  readonly judge: (text: string, report: (problem: string) => void) => void;
}

/** All of them are sent to the engine at each start. */
const FILE_BYTES = 2 ** 20;
const MAX_FILES = 64;
const DEFAULT_MODE = 0o644;

const content: Parser<string> = {
  type: 'text',
  expects: 'a text of at most 1 MiB',
  parse: (text) => (Buffer.byteLength(text) <= FILE_BYTES ? text : new ParseError()),
};
const mode: Parser<number> = {
  type: 'permissions',
  expects: 'permission bits of three or four octal digits, such as 0644 or 755',
  parse: (text) =>
    /^0?o?[0-7]{3}$|^[0-7]{4}$/.test(text) ? Number.parseInt(text.replace('o', ''), 8) : new ParseError(),
};

function source(folder: string): Parser<Pick<InjectedFile, 'encoding' | 'content'>> {
  return {
    type: 'path',
    expects: 'the path of a file of at most 1 MiB, relative to the catalogue file',
    parse: (text) => {
      if (text === '' || text.includes('\0')) return new ParseError();
      const path = resolve(folder, text);
      const found = readableFile(path);
      if (found instanceof ParseError) return found;
      if (found.size > FILE_BYTES) return new ParseError(`${path} has ${Math.ceil(found.size / 2 ** 20)} MiB`);
      try {
        const bytes = readFileSync(path);
        return isUtf8(bytes)
          ? { encoding: 'utf8', content: bytes.toString('utf8') }
          : { encoding: 'base64', content: bytes.toString('base64') };
      } catch (error) {
        return new ParseError(`${path} cannot be read: ${describeError(error)}`);
      }
    },
  };
}

export function readFiles(template: YamlSection, context: FilesContext): InjectedFile[] {
  const sections = template.sections('files', ['path', 'content', 'source', 'mode']) ?? [];
  if (sections.length > MAX_FILES)
    template.report(`${template.path}.files has ${sections.length} entries; it may have ${MAX_FILES}`, 'files');
  const files = sections.flatMap((section) => readFile(section, context) ?? []);
  for (const [index, { path }] of files.entries())
    if (files.findIndex((other) => other.path === path) < index)
      template.report(`${template.path}.files has ${path} twice; name each path once`, 'files');
  return files;
}

function readFile(section: YamlSection, { folder, covered, judge }: FilesContext): InjectedFile | undefined {
  if (!section.isGroup) return undefined;
  const path = section.require('path', containerFile)?.value;
  const permissions = section.read('mode', mode)?.value ?? DEFAULT_MODE;
  const text = section.read('content', content)?.value;
  const read = section.read('source', source(folder))?.value;
  if (section.has('content') === section.has('source'))
    section.report(
      `${section.path} has ${section.has('content') ? 'both content and source' : 'neither content nor source'}; it ` +
        'must have one of them: content: a text, or source: FILE',
    );
  const cover = path === undefined ? undefined : covered.find((each) => isWithin(path, each));
  if (cover !== undefined)
    section.report(`${section.path}.path is in ${cover}, which is made again at each start; choose another`, 'path');
  const file = read ?? (text === undefined ? undefined : { encoding: 'utf8' as const, content: text });
  if (path === undefined || file === undefined) return undefined;
  if (file.encoding === 'utf8') {
    const key = read === undefined ? 'content' : 'source';
    judge(file.content, (problem) => section.report(`${section.path}.${key} ${problem}`, key));
  }
  return { path, ...file, mode: permissions };
}
