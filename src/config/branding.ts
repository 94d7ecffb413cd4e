import { readFileSync } from 'node:fs';
import { dirname, extname, resolve } from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import { describeError } from '../domain/errors.ts';
import {
  DEFAULT_COLORS,
  NO_BRANDING,
  contrastWarnings,
  type BrandLink,
  type Branding,
  type LocalText,
  type Logo,
  type Palette,
  type Scheme,
} from '../presentation/branding.ts';
import { quote, type FileReader } from './environment.ts';
import { ParseError, integer, matching, path, text, type Parser } from './parsers.ts';
import { YamlMapSection, listProblems, type YamlSection, type YamlSource } from './yaml-section.ts';

const KEYS = ['title', 'logo', 'colors', 'links', 'legal', 'call_to_action'];
const LINE = text(500);
const COLOR = matching('color', /^#[0-9a-fA-F]{6}$/, 'a colour as #rrggbb in quotes, such as "#5546e8"');
const SIZE = integer(8, 400, 28);
const DEFAULT_LOGO_SIZE = 28;
const LOGO_TYPES = { '.svg': 'image/svg+xml', '.png': 'image/png', '.webp': 'image/webp' } as const;
const LOGO_BYTES = 100_000;

/** Where a page of an operator's leads; other schemes could run a script. */
const link: Parser<string> = {
  type: 'URL',
  expects: 'a URL that starts with https://, http:// or mailto:, such as https://example.org/imprint',
  parse: (value) =>
    URL.canParse(value) && ['https:', 'http:', 'mailto:'].includes(new URL(value).protocol)
      ? new URL(value).href
      : new ParseError(),
};

export interface ParsedBranding {
  readonly branding: Branding;
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/** Reads BRANDING_FILE; every problem begins with `file:line`. */
export function readBranding(file: string | undefined, readFile: FileReader): ParsedBranding {
  if (file === undefined) return { branding: NO_BRANDING, problems: [], warnings: [] };
  let written: string;
  try {
    written = readFile(file);
  } catch (error) {
    const problem =
      `BRANDING_FILE is ${quote(file)}, which cannot be read (${describeError(error)}); ` +
      "fix the path or the file's permissions";
    return { branding: NO_BRANDING, problems: [problem], warnings: [] };
  }
  const lines = new LineCounter();
  const document = parseDocument(written, { lineCounter: lines, prettyErrors: false });
  const source: YamlSource = { document, lines, file, problems: [] };
  for (const flaw of [...document.errors, ...document.warnings]) {
    const { line } = lines.linePos(flaw.pos[0]);
    source.problems.push({ line, text: `this is not YAML as it should be: ${flaw.message}` });
  }
  if (document.errors.length > 0) return { branding: NO_BRANDING, problems: listProblems(source), warnings: [] };
  const root = new YamlMapSection(source, document.contents, '', KEYS);
  const branding: Branding = {
    title: localText(root, 'title'),
    logo: readLogo(root, dirname(file)),
    colors: readColors(root.section('colors', ['light', 'dark'])),
    links: (root.sections('links', ['text', 'url']) ?? []).flatMap((section) => readLink(section) ?? []),
    legal: localText(root, 'legal'),
    callToAction: root.has('call_to_action') ? readLink(root.section('call_to_action', ['text', 'url'])) : undefined,
  };
  const problems = listProblems(source);
  const warnings = problems.length > 0 ? [] : contrastWarnings(branding.colors);
  return { branding, problems, warnings: warnings.map((warning) => `${file}: ${warning}`) };
}

/** One text for all languages, or one for each by its tag. */
function localText(section: YamlSection, key: string): LocalText | undefined {
  if (!section.has(key)) return undefined;
  if (section.isSingle(key)) {
    const one = section.read(key, LINE)?.value;
    return one === undefined ? undefined : [{ tag: undefined, text: one }];
  }
  const group = section.section(key, undefined);
  if (!group.isGroup) return undefined;
  const texts = group.keys().flatMap((name) => {
    const value = group.read(name, LINE)?.value;
    const tag = canonicalTag(name);
    if (tag === undefined) group.report(`${group.path}.${name} must be a language by its BCP 47 tag, such as de`, name);
    return value === undefined || tag === undefined ? [] : [{ tag, text: value }];
  });
  const [first, ...others] = texts;
  if (first === undefined) {
    section.report(`${group.path} has no text; write one, or one for each language: {en: Imprint, de: Impressum}`, key);
    return undefined;
  }
  return [first, ...others];
}

function canonicalTag(name: string): string | undefined {
  try {
    return Intl.getCanonicalLocales(name)[0];
  } catch {
    return undefined;
  }
}

function readLink(section: YamlSection): BrandLink | undefined {
  const url = section.require('url', link)?.value;
  const words = section.has('text') ? localText(section, 'text') : undefined;
  if (!section.has('text')) section.require('text', LINE);
  return url === undefined || words === undefined ? undefined : { text: words, url };
}

function readColors(section: YamlSection): Branding['colors'] {
  const palette = (scheme: Scheme): Palette => {
    const standard = DEFAULT_COLORS[scheme];
    const names = Object.keys(standard) as (keyof Palette)[];
    const given = section.section(scheme, names);
    return Object.fromEntries(
      names.map((name) => [name, given.read(name, COLOR)?.value.toLowerCase() ?? standard[name]]),
    ) as unknown as Palette;
  };
  return { light: palette('light'), dark: palette('dark') };
}

/** As one path, or with the size it is shown at. */
function readLogo(root: YamlSection, folder: string): Logo | undefined {
  if (!root.has('logo')) return undefined;
  const group = root.isSingle('logo') ? undefined : root.section('logo', ['file', 'width', 'height']);
  if (group?.isGroup === false) return undefined;
  const file = group === undefined ? root.read('logo', path)?.value : group.require('file', path)?.value;
  if (file === undefined) return undefined;
  const type = LOGO_TYPES[extname(file).toLowerCase() as keyof typeof LOGO_TYPES] as Logo['type'] | undefined;
  if (type === undefined) {
    root.report(`logo is ${quote(file)}; it must be a file that ends with .svg, .png or .webp`, 'logo');
    return undefined;
  }
  const wrong = (why: string): void => {
    root.report(`logo is ${quote(file)}, ${why}`, 'logo');
  };
  let body: Buffer;
  try {
    body = readFileSync(resolve(folder, file));
  } catch (error) {
    wrong(`which cannot be read (${describeError(error)}); fix the path or the file's permissions`);
    return undefined;
  }
  if (body.length > LOGO_BYTES) {
    wrong(`which has ${body.length} bytes; it is on every page, so it may have ${LOGO_BYTES} at most`);
    return undefined;
  }
  return {
    body: body.toString('base64'),
    type,
    width: group?.read('width', SIZE)?.value ?? DEFAULT_LOGO_SIZE,
    height: group?.read('height', SIZE)?.value ?? DEFAULT_LOGO_SIZE,
  };
}
