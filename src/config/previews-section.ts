import type { PreviewRules } from '../domain/preview-rules.ts';
import { duration, integer, ParseError, type Parser } from './parsers.ts';
import type { YamlSection } from './yaml-section.ts';

const MAX = integer(1, 1_000, 5);
const MAX_AGE = duration('1m', '365d', '14d');
const POOL_TARGET = integer(0, 100, 1);
const POOL_MAX = integer(1, 100, 2);
const DEFAULTS = { max: 5, maxAgeMs: 14 * 24 * 3_600_000, pool: { target: 1, max: 2 } };

/** Where an image comes from is spelled out: nobody's registry but the one that is meant. */
const imagePattern: Parser<string> = {
  type: 'image pattern',
  expects: 'the name of an image in which * may stand for a part, such as ghcr.io/acme/shop:pr-*',
  parse: (text) => {
    if (!/^[A-Za-z0-9][A-Za-z0-9._:/@*-]{0,254}$/.test(text)) return new ParseError();
    const place = text.slice(0, text.lastIndexOf('/') + 1);
    if (place.includes('*') || (place === '' && /^[^:@]*\*/.test(text)))
      return new ParseError('refused because anybody may have such an image: name its registry and folder');
    return text;
  },
};

/** Undefined: nobody may make previews of it. */
export function readPreviews(section: YamlSection): PreviewRules | undefined {
  if (!section.has('previews')) return undefined;
  const previews = section.section('previews', ['images', 'max', 'max_age', 'pool']);
  const pool = previews.section('pool', ['target', 'max']);
  const images = previews.list('images', imagePattern, 1);
  if (previews.isGroup && !previews.has('images'))
    previews.report(`${previews.path}.images is missing; it must be a list, each entry ${imagePattern.expects}`);
  const max = pool.read('max', POOL_MAX)?.value ?? DEFAULTS.pool.max;
  const target = pool.read('target', POOL_TARGET)?.value ?? Math.min(DEFAULTS.pool.target, max);
  if (target > max)
    pool.report(`${pool.path}: target is ${target} and max is ${max}; more would stand ready than may exist`);
  return {
    images: images ?? [],
    max: previews.read('max', MAX)?.value ?? DEFAULTS.max,
    maxAgeMs: previews.read('max_age', MAX_AGE)?.value ?? DEFAULTS.maxAgeMs,
    pool: { target, max },
  };
}
