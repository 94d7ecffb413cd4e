import { readFileSync } from 'node:fs';
import { dirname, extname, resolve } from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import { describeError } from '../domain/errors.ts';
import {
  NO_BRANDING,
  contrastWarnings,
  logoPath,
  type Brand,
  type BrandLink,
  type Branding,
  type Logo,
  type Palette,
  type Scheme,
} from '../presentation/branding.ts';
import { quote, type FileReader } from './environment.ts';
import { localText } from './local-text.ts';
import { ParseError, integer, matching, path, text, type Parser } from './parsers.ts';
import { YamlMapSection, listProblems, type YamlSection, type YamlSource } from './yaml-section.ts';

const BRAND_KEYS = ['title', 'heading', 'intro', 'logo', 'colors', 'links', 'legal', 'abuse', 'call_to_action'];
export const BRANDING_KEYS = [...BRAND_KEYS, 'templates'];
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

/** A mail address, or where a form is. */
const contact: Parser<string> = {
  type: 'mail address or URL',
  expects: 'a mail address such as abuse@example.org, or a URL that starts with https://, http:// or mailto:',
  parse: (value) => link.parse(/^[^\s@:/?]+@[^\s@:/?]+$/.test(value) ? `mailto:${value}` : value),
};

export interface ParsedBranding {
  readonly branding: Branding;
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Reads BRANDING_FILE; every problem begins with `file:line`. `templates`: the names there are, undefined where that
 * could not be found out.
 */
export function readBranding(
  file: string | undefined,
  readFile: FileReader,
  templates?: readonly string[],
): ParsedBranding {
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
  const root = new YamlMapSection(source, document.contents, '', BRANDING_KEYS);
  const branding = brandingIn(root, dirname(file), templates);
  const problems = listProblems(source);
  const warnings = problems.length > 0 ? [] : unreadable(branding);
  return { branding, problems, warnings: warnings.map((warning) => `${file}: ${warning}`) };
}

/** Everything that can be said in the file; problems are reported to the section. */
export function brandingIn(root: YamlSection, folder: string, templates: readonly string[] | undefined): Branding {
  const shared = brandIn(root, folder, NO_BRANDING);
  const own = root.section('templates', undefined);
  const brands = own.keys().map((name) => {
    if (templates !== undefined && !templates.includes(name))
      own.report(`${own.path}.${name} is no template of yours; there are ${templates.join(', ')}`, name);
    return [name, brandIn(own.section(name, BRAND_KEYS), folder, shared)] as const;
  });
  return { ...shared, templates: Object.fromEntries(brands) };
}

/** What a section does not say is as in `above`. */
function brandIn(section: YamlSection, folder: string, above: Brand): Brand {
  const link = section.has('call_to_action')
    ? readLink(section.section('call_to_action', ['text', 'url']))
    : above.callToAction;
  return {
    title: localText(section, 'title') ?? above.title,
    heading: localText(section, 'heading') ?? above.heading,
    intro: localText(section, 'intro') ?? above.intro,
    logo: readLogo(section, folder) ?? above.logo,
    colors: readColors(section.section('colors', ['light', 'dark']), above.colors),
    links: section.has('links')
      ? (section.sections('links', ['text', 'url']) ?? []).flatMap((one) => readLink(one) ?? [])
      : above.links,
    legal: localText(section, 'legal') ?? above.legal,
    abuse: section.read('abuse', contact)?.value ?? above.abuse,
    callToAction: link,
  };
}

/** Colours that a template has from above are told of once. */
function unreadable({ colors, templates }: Branding): string[] {
  const shared = contrastWarnings(colors);
  const own = Object.entries(templates).flatMap(([name, brand]) => {
    const path = `templates.${name}.colors`;
    const known = new Set(shared.map((warning) => warning.replaceAll(/(?<![\w.])colors\./g, `${path}.`)));
    return contrastWarnings(brand.colors, path).filter((warning) => !known.has(warning));
  });
  return [...shared, ...own];
}

function readLink(section: YamlSection): BrandLink | undefined {
  const url = section.require('url', link)?.value;
  const words = section.has('text') ? localText(section, 'text') : undefined;
  if (!section.has('text')) section.require('text', LINE);
  return url === undefined || words === undefined ? undefined : { text: words, url };
}

function readColors(section: YamlSection, above: Brand['colors']): Brand['colors'] {
  const palette = (scheme: Scheme): Palette => {
    const standard = above[scheme];
    const names = Object.keys(standard) as (keyof Palette)[];
    const given = section.section(scheme, names);
    return Object.fromEntries(
      names.map((name) => [name, given.read(name, COLOR)?.value.toLowerCase() ?? standard[name]]),
    ) as unknown as Palette;
  };
  return { light: palette('light'), dark: palette('dark') };
}

/** As one path, or with the size it is shown at. */
function readLogo(section: YamlSection, folder: string): Logo | undefined {
  if (!section.has('logo')) return undefined;
  const group = section.isSingle('logo') ? undefined : section.section('logo', ['file', 'width', 'height']);
  if (group?.isGroup === false) return undefined;
  const [width, height] = [group?.read('width', SIZE)?.value, group?.read('height', SIZE)?.value];
  const file = group === undefined ? section.read('logo', path)?.value : group.require('file', path)?.value;
  if (file === undefined) return undefined;
  const logoKey = section.path === '' ? 'logo' : `${section.path}.logo`;
  const type = LOGO_TYPES[extname(file).toLowerCase() as keyof typeof LOGO_TYPES] as Logo['type'] | undefined;
  if (type === undefined) {
    section.report(`${logoKey} is ${quote(file)}; it must be a file that ends with .svg, .png or .webp`, 'logo');
    return undefined;
  }
  const wrong = (why: string): void => {
    section.report(`${logoKey} is ${quote(file)}, ${why}`, 'logo');
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
    path: logoPath(body, type),
    body: body.toString('base64'),
    type,
    width: width ?? DEFAULT_LOGO_SIZE,
    height: height ?? DEFAULT_LOGO_SIZE,
  };
}
