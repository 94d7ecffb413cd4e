import type { Template } from '../../domain/template.ts';
import { html } from '../../presentation/html.ts';
import type { Translator } from '../../presentation/languages/translator.ts';
import type { Brand } from '../../presentation/branding.ts';
import type { PoolFiguresOf } from '../pool-figures.ts';

/** How a template stands, in a word or two, and what they are painted on. White on each reads well (WCAG 1.4.3). */
export interface BadgeState {
  readonly text: string;
  readonly color: string;
}

const READY = '#0b7a4b';
const BUSY = '#8a5200';
const PAUSED = '#565d70';
const DARK = '#2a3140';
const WHITE = '#ffffff';

const MAX_TITLE_LENGTH = 40;
/** Where a text begins and ends in its half. */
const MARGIN = 8;
const ARROW = 12;
const HEIGHT = 20;
/** What XML 1.0 has no room for, escaped or not. */
const NOT_XML = /[\p{Cc}\ufffe\uffff]/gu;

/** Undefined where nobody can say right now. */
export function badgeState(t: Translator, { stats, control }: PoolFiguresOf): BadgeState | undefined {
  if (control !== undefined && control.mode !== 'open') return { text: t.text('badge.paused'), color: PAUSED };
  if (stats === undefined) return undefined;
  if (stats.waiting > 0) return { text: t.text('badge.waiting', { count: stats.waiting }), color: BUSY };
  return stats.ready > 0
    ? { text: t.text('badge.ready'), color: READY }
    : { text: t.text('badge.warming'), color: BUSY };
}

/** An image for other people's pages, so its looks are all in it: an arrow, what can be tried, and how it stands. */
export function badge(parts: {
  readonly t: Translator;
  readonly brand: Brand;
  readonly template: Template;
  /** Without one the badge is one button. */
  readonly state: BadgeState | undefined;
}): string {
  const { t, brand, state } = parts;
  const label = t.text('badge.try', { app: shortened(parts.template.title) });
  const { accent, on_accent } = brand.colors.light;
  const [ground, ink] = state === undefined ? [accent, on_accent] : [DARK, WHITE];
  const labelLength = textLength(label);
  const stateLength = state === undefined ? 0 : textLength(state.text);
  const left = MARGIN + ARROW + labelLength + MARGIN;
  const width = left + (state === undefined ? 0 : stateLength + 2 * MARGIN);
  const title = state === undefined ? label : `${label}: ${state.text}`;
  const written = (text: string, x: number, length: number, fill: string) =>
    html`<text x="${x}" y="14" textLength="${length}" lengthAdjust="spacingAndGlyphs" fill="${fill}">${text}</text>`;
  return html`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${HEIGHT}" role="img" \
aria-label="${title}" xml:lang="${t.tag}">
<title>${title}</title>
<clipPath id="round"><rect width="${width}" height="${HEIGHT}" rx="4"/></clipPath>
<g clip-path="url(#round)" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="11">
<rect width="${left}" height="${HEIGHT}" fill="${ground}"/>
<path d="M${MARGIN} 5.5v9l7-4.5z" fill="${ink}"/>
${written(label, MARGIN + ARROW, labelLength, ink)}
${state !== undefined && html`<rect x="${left}" width="${width - left}" height="${HEIGHT}" fill="${state.color}"/>`}
${state !== undefined && written(state.text, left + MARGIN, stateLength, WHITE)}
</g>
</svg>
`.text;
}

function shortened(title: string): string {
  const characters = Array.from(new Intl.Segmenter().segment(title.replace(NOT_XML, ' ')), ({ segment }) => segment);
  return characters.length > MAX_TITLE_LENGTH
    ? `${characters.slice(0, MAX_TITLE_LENGTH - 1).join('')}…`
    : characters.join('');
}

/** About as long as Verdana of 11 px makes it. The image has the text fit this exactly, whatever its font. */
function textLength(text: string): number {
  return Math.round(Array.from(text, characterWidth).reduce((sum, width) => sum + width, 0));
}

function characterWidth(character: string): number {
  if (/[ijlI.,:;'|!()[\] ft]/.test(character)) return 4.2;
  if (/[mwMW@%…]/.test(character)) return 10.4;
  if (/\p{Lu}/u.test(character)) return 7.8;
  // Chinese, Japanese, Korean and emoji take a whole square.
  return (character.codePointAt(0) ?? 0) > 0x2e_80 ? 11 : 6.8;
}
