import Type, { type Static } from 'typebox';

/** Why a frame would not show an app as a tab does. */
const FRAME_REFUSALS = ['leads_elsewhere', 'leaves_frames', 'refuses_requests', 'needs_plugins'] as const;

/** `what`: the origin it leads to, the script that leaves frames, and so on, for operators. */
export const FrameRefusalRecord = Type.Object({
  why: Type.Enum([...FRAME_REFUSALS]),
  what: Type.String({ maxLength: 300 }),
});
export type FrameRefusal = Static<typeof FrameRefusalRecord>;

/** In plain words, to follow "because". */
export function describeRefusal({ why, what }: FrameRefusal): string {
  switch (why) {
    case 'leads_elsewhere':
      return `its landing page leads to ${what}, which is another origin`;
    case 'leaves_frames':
      return `its landing page leaves frames by script (${what})`;
    case 'refuses_requests':
      return `it refuses what a browser asks for in a frame (${what})`;
    case 'needs_plugins':
      return `its landing page is ${what}, which browsers do not show in such a frame`;
  }
}

/** What an HTML page does by itself, as far as that can be told without running it. */
export interface PageBehaviour {
  /** Where it sends its browser on to. */
  readonly refreshTo: URL | undefined;
  /** A script in it that leaves frames. */
  readonly leavesFrames: boolean;
  /** It shows nothing until a script of it does. */
  readonly hidden: boolean;
  /** Scripts that it has its browser fetch, in their order. */
  readonly scripts: readonly URL[];
}

const RAW_TEXT = /^(?:script|style|noscript|textarea|title|template|iframe|xmp)$/;
const HIDES_ALL = new RegExp(
  '(?:^|[\\s,}])(?:html|body)(?:[.#:[][^\\s,{}]{0,40})?\\s*(?:,[^{}]{0,80})?' +
    '\\{[^{}]*?\\b(?:display\\s*:\\s*none|visibility\\s*:\\s*hidden)',
  'i',
);

/** Reads what it can of `html`, which may be cut off anywhere; `at`: its address. */
export function behaviourOf(html: string, at: URL): PageBehaviour {
  let base = at;
  let refreshTo: URL | undefined;
  let leavesFrames = false;
  let hidden = false;
  const scripts: URL[] = [];
  const texts: string[] = [];
  for (const { name, attributes, text } of elements(html)) {
    if (name === 'base') base = resolved(attributes.get('href'), base) ?? base;
    else if (name === 'meta' && attributes.get('http-equiv')?.toLowerCase() === 'refresh')
      refreshTo ??= refreshTarget(attributes.get('content') ?? '', base);
    else if (name === 'style') hidden ||= HIDES_ALL.test(text);
    else if (name === 'script' && isJavaScript(attributes)) {
      const source = resolved(attributes.get('src'), base);
      if (source === undefined) texts.push(text);
      else scripts.push(source);
    }
    for (const [attribute, code] of attributes) if (attribute === 'onload') texts.push(code);
  }
  for (const text of texts) leavesFrames ||= leaves(text, { hidden });
  return { refreshTo, leavesFrames, hidden, scripts };
}

/** A page that is to be read first stays for longer. */
const LEADS_ON_WITHIN_SECONDS = 10;

/** What `Refresh`, as a header or in a page, soon leads to; undefined where that is the page itself. */
export function refreshTarget(content: string, base: URL): URL | undefined {
  const [, after, target] = /^\s*(\d*)[\d.]*\s*[;,\s]\s*(?:url\s*=\s*)?["']?([^"']+)/i.exec(content) ?? [];
  const to = Number(after) > LEADS_ON_WITHIN_SECONDS ? undefined : resolved(target?.trim(), base);
  return to?.href === base.href ? undefined : to;
}

const TOP = '(?:top|parent)';
const OWN = '(?:[\\w$]{1,30}\\.)?(?:self|window|location|document\\.location)\\b';
const IS_FRAMED = new RegExp(
  [
    `\\b${TOP}(?:\\.location|\\.window)?(?:\\.href)?\\s*[!=]==?\\s*${OWN}`,
    `\\b(?:self|window|location)(?:\\.href)?\\s*[!=]==?\\s*(?:[\\w$]{1,30}\\.)?${TOP}\\b`,
    `(?<![\\w$])([\\w$]{1,30})\\.${TOP}\\s*[!=]==?\\s*\\1\\b`,
    `\\b${TOP}\\.frames\\.length\\b`,
    '\\bframeElement\\b',
  ].join('|'),
  'g',
);
const LEADS_TOP = new RegExp(
  `\\b${TOP}(?:\\.window|\\.document)?\\.location(?:\\.href)?\\s*=(?!=)|` +
    `\\b${TOP}(?:\\.window|\\.document)?\\.location\\.(?:replace|assign)\\s*\\(`,
);
/** Between the question whether it is in a frame and what it does about that. */
const NEARBY = 400;

/**
 * Whether a script asks if its page is in a frame, and right there leads the whole window away. Asking alone is what
 * many do who look fine in one, unless their page is `hidden` until the answer is no.
 */
export function leaves(script: string, { hidden }: { readonly hidden: boolean }): boolean {
  for (const { index, 0: found } of script.matchAll(IS_FRAMED)) {
    if (hidden && !found.includes('frameElement')) return true;
    if (LEADS_TOP.test(script.slice(Math.max(0, index - NEARBY), index + found.length + NEARBY))) return true;
  }
  return false;
}

function isJavaScript(attributes: ReadonlyMap<string, string>): boolean {
  return /^(?:|module|(?:text|application)\/(?:x-)?(?:java|ecma)script.*)$/i.test(
    (attributes.get('type') ?? '').trim(),
  );
}

function resolved(address: string | undefined, base: URL): URL | undefined {
  return address !== undefined && URL.canParse(address, base.href) ? new URL(address, base) : undefined;
}

interface Element {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  /** Of elements whose content is no HTML to a browser that runs scripts. */
  readonly text: string;
}

/** Start tags, in their order. Each character is passed once, whatever is left open. */
function* elements(html: string): Generator<Element> {
  for (let at = html.indexOf('<'); at >= 0; at = html.indexOf('<', at)) {
    if (html.startsWith('<!--', at)) {
      const end = html.indexOf('-->', at + 4);
      if (end < 0) return;
      at = end + 3;
      continue;
    }
    const [, name] = TAG_NAME.exec(html.slice(at, at + 40)) ?? [];
    if (name === undefined) {
      at += 1;
      continue;
    }
    const end = endOfTag(html, at);
    if (end < 0) return;
    const attributes = attributesOf(html.slice(at + 1 + name.length, end));
    at = end + 1;
    const element = name.toLowerCase();
    if (!RAW_TEXT.test(element)) {
      yield { name: element, attributes, text: '' };
      continue;
    }
    const close = new RegExp(`</${element}\\b`, 'gi');
    close.lastIndex = at;
    const textEnd = close.exec(html)?.index ?? html.length;
    yield { name: element, attributes, text: html.slice(at, textEnd) };
    at = textEnd;
  }
}

const TAG_NAME = /^<([a-z][a-z0-9-]*)/i;

function endOfTag(html: string, start: number): number {
  let quote = '';
  for (let at = start; at < html.length; at += 1) {
    const character = html.charAt(at);
    if (quote !== '') {
      if (character === quote) quote = '';
    } else if (character === '>') return at;
    else if ((character === '"' || character === "'") && /=\s*$/.test(html.slice(Math.max(start, at - 3), at)))
      quote = character;
  }
  return -1;
}

function attributesOf(text: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [, name = '', double, single, bare] of text.matchAll(
    /([^\s"'<>/=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'=<>`]+)))?/g,
  ))
    if (!found.has(name.toLowerCase()))
      found.set(name.toLowerCase(), (double ?? single ?? bare ?? '').replaceAll('&amp;', '&'));
  return found;
}
