import { createHash } from 'node:crypto';
import { contrast, mix } from './contrast.ts';
import type { Translator } from './languages/translator.ts';

/** A text in the languages it was written in; the first is for the others. */
export type LocalText = readonly [LocalLine, ...LocalLine[]];
interface LocalLine {
  /** Undefined where there is one for all languages. */
  readonly tag: string | undefined;
  readonly text: string;
}

export interface BrandLink {
  readonly text: LocalText;
  readonly url: string;
}

/** What pages are painted with, as `#rrggbb`. */
export interface Palette {
  readonly accent: string;
  readonly on_accent: string;
  readonly ground: string;
  readonly surface: string;
  readonly ink: string;
  readonly ink_soft: string;
}
export type Scheme = 'light' | 'dark';

export interface Logo {
  /** Where the start page serves it: it changes with the picture, so browsers may keep it for good. */
  readonly path: string;
  /** In base64. */
  readonly body: string;
  readonly type: 'image/svg+xml' | 'image/png' | 'image/webp';
  /** In CSS pixels, as the header shows it. */
  readonly width: number;
  readonly height: number;
}

/** How pages differ from what they come with. */
export interface Brand {
  readonly title: LocalText | undefined;
  readonly logo: Logo | undefined;
  readonly colors: Readonly<Record<Scheme, Palette>>;
  /** In the footer, in this order: imprint, privacy and the like. */
  readonly links: readonly BrandLink[];
  /** In place of the promise in the footer. */
  readonly legal: LocalText | undefined;
  /** In the footer: where to tell of an instance that does harm. */
  readonly abuse: string | undefined;
  /** What a visitor may do next, beside the apps. */
  readonly callToAction: BrandLink | undefined;
  /** Of the page that offers apps, in place of its own words. */
  readonly heading: LocalText | undefined;
  readonly intro: LocalText | undefined;
}

/** An operator's, and for pages about one template alone, by its name, what is different there. */
export interface Branding extends Brand {
  readonly templates: Readonly<Record<string, Brand>>;
}

export const DEFAULT_COLORS: Brand['colors'] = {
  light: {
    accent: '#5546e8',
    on_accent: '#ffffff',
    ground: '#f6f7fb',
    surface: '#ffffff',
    ink: '#161a26',
    ink_soft: '#565d70',
  },
  dark: {
    accent: '#7d72ff',
    on_accent: '#0d0b24',
    ground: '#0e1118',
    surface: '#171b26',
    ink: '#eef0f6',
    ink_soft: '#a3abbe',
  },
};

export const NO_BRANDING: Branding = {
  title: undefined,
  logo: undefined,
  colors: DEFAULT_COLORS,
  links: [],
  legal: undefined,
  abuse: undefined,
  callToAction: undefined,
  heading: undefined,
  intro: undefined,
  templates: {},
};

/** Of pages about this template; undefined: about none, or several. */
export function brandFor(branding: Branding, template: string | undefined): Brand {
  const { templates } = branding;
  return (template !== undefined && Object.hasOwn(templates, template) ? templates[template] : undefined) ?? branding;
}

export function localText({ tag }: Translator, [first, ...others]: LocalText): string {
  const language = new Intl.Locale(tag).language;
  const all = [first, ...others];
  return (all.find((line) => line.tag === tag) ?? all.find((line) => line.tag === language) ?? first).text;
}

export function siteTitle(t: Translator, { title }: Brand): string {
  return title === undefined ? t.text('site.title') : localText(t, title);
}

/** What is written in which colour on which, in both schemes. */
const WRITTEN: readonly (readonly [keyof Palette, keyof Palette])[] = [
  ['on_accent', 'accent'],
  ['ink', 'surface'],
  ['ink', 'ground'],
  ['ink_soft', 'surface'],
  ['ink_soft', 'ground'],
  ['accent', 'surface'],
  ['accent', 'ground'],
];
/** WCAG 2.2, 1.4.3, for text of any size. */
const LEAST_CONTRAST = 4.5;

/** One sentence for each pair of colours that people would find hard to read. */
export function contrastWarnings(colors: Brand['colors'], path = 'colors'): string[] {
  return (['light', 'dark'] as const).flatMap((scheme) =>
    WRITTEN.flatMap(([text, behind]) => {
      const palette = colors[scheme];
      const found = contrast(palette[text], palette[behind]);
      return found >= LEAST_CONTRAST
        ? []
        : [
            `${path}.${scheme}.${text} (${palette[text]}) on ${path}.${scheme}.${behind} (${palette[behind]}) has a ` +
              `contrast of ${(Math.floor(found * 100) / 100).toFixed(2)}:1, which many people cannot read; make ` +
              `one of them darker or lighter until it is at least ${LEAST_CONTRAST}:1`,
          ];
    }),
  );
}

/** The custom properties that every style sheet of ours goes by. */
export function colorProperties({ light, dark }: Brand['colors']): string {
  const inTheDark = `@media (prefers-color-scheme: dark) {\n:root {\n${properties(dark, 16)}}\n}\n`;
  return `:root {\n${properties(light, 12)}}\n${inTheDark}`;
}

function properties(palette: Palette, glowPercent: number): string {
  // Away from what is written on it, so that a button under the pointer reads better and never worse.
  const away = contrast(palette.on_accent, '#000000') > contrast(palette.on_accent, '#ffffff') ? '#000000' : '#ffffff';
  const all = {
    ...palette,
    accent_strong: mix(palette.accent, away, 0.15),
    glow: `${palette.accent}${Math.round((glowPercent / 100) * 255)
      .toString(16)
      .padStart(2, '0')}`,
  };
  return Object.entries(all)
    .map(([name, value]) => `--${name.replaceAll('_', '-')}: ${value};\n`)
    .join('');
}

export function logoPath(body: Buffer, type: Logo['type']): string {
  const hash = createHash('sha256').update(body).digest('hex').slice(0, 12);
  return `/assets/logo.${hash}.${type === 'image/svg+xml' ? 'svg' : type.slice('image/'.length)}`;
}
