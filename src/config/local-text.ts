import type { LocalText } from '../presentation/branding.ts';
import { text, type Parser } from './parsers.ts';
import type { YamlSection } from './yaml-section.ts';

const LINE = text(500);

/** One text for all languages, or one for each by its tag. Undefined when absent, or wrong (which is reported). */
export function localText(section: YamlSection, key: string, line: Parser<string> = LINE): LocalText | undefined {
  if (!section.has(key)) return undefined;
  if (section.isSingle(key)) {
    const one = section.read(key, line)?.value;
    return one === undefined ? undefined : [{ tag: undefined, text: one }];
  }
  const group = section.section(key, undefined);
  if (!group.isGroup) return undefined;
  const texts = group.keys().flatMap((name) => {
    const value = group.read(name, line)?.value;
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

/** Like `localText`, and reports the key's absence. */
export function requiredLocalText(section: YamlSection, key: string, line: Parser<string>): LocalText | undefined {
  if (!section.has(key)) section.require(key, line);
  return localText(section, key, line);
}

function canonicalTag(name: string): string | undefined {
  try {
    return Intl.getCanonicalLocales(name)[0];
  } catch {
    return undefined;
  }
}
