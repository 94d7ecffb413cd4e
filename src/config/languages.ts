import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describeError } from '../domain/errors.ts';
import { en } from '../presentation/languages/en.ts';
import { parseLanguageFile } from '../presentation/languages/language-file.ts';
import { BUILT_IN_LANGUAGES } from '../presentation/languages/languages.ts';
import type { MessageKey, Messages } from '../presentation/languages/messages.ts';
import type { Language } from '../presentation/languages/translator.ts';
import { quote, type FileReader } from './environment.ts';

export interface LoadedLanguages {
  readonly languages: readonly [Language, ...Language[]];
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

const MISSING_SHOWN = 3;

/**
 * The languages that come along, with an operator's `<tag>.json` over and beside them. What a file lacks is as it comes
 * along, else in English.
 */
export function readLanguages(folder: string | undefined, readFile: FileReader): LoadedLanguages {
  const found = new Map<string, Language>(BUILT_IN_LANGUAGES.map((language) => [language.tag, language]));
  const problems: string[] = [];
  const warnings: string[] = [];
  // English first: it stands in for what the others lack.
  const files =
    folder === undefined
      ? []
      : namesIn(folder, problems).sort(
          (a, b) => Number(b === 'en.json') - Number(a === 'en.json') || a.localeCompare(b),
        );
  for (const name of files) {
    const file = join(folder ?? '', name);
    const tag = canonicalTag(name.slice(0, -'.json'.length));
    if (tag === undefined) {
      problems.push(`${file} must be named after its language by a BCP 47 tag, such as fr.json or pt-BR.json`);
      continue;
    }
    let text: string;
    try {
      text = readFile(file);
    } catch (error) {
      problems.push(`${file} cannot be read (${describeError(error)}); fix its permissions or remove it`);
      continue;
    }
    const read = parseLanguageFile(text, file);
    problems.push(...read.problems);
    warnings.push(...read.warnings);
    const below = found.get(tag);
    const messages = { ...(below ?? found.get('en'))?.messages, ...read.messages } as Messages;
    const had = below === undefined ? (Object.keys(en) as MessageKey[]) : [...(below.inEnglish ?? [])];
    const inEnglish = new Set(had.filter((key) => !Object.hasOwn(read.messages, key)));
    found.set(tag, { tag, messages, inEnglish });
    const missing = below === undefined ? [...inEnglish] : [];
    if (missing.length > 0 && read.problems.length === 0) {
      const shown = missing.slice(0, MISSING_SHOWN).join(', ');
      warnings.push(
        `${file} lacks ${missing.length} of ${Object.keys(en).length} texts (${shown}` +
          `${missing.length > MISSING_SHOWN ? ', …' : ''}); visitors read those in English`,
      );
    }
  }
  const [first = { tag: 'en', messages: en }, ...others] = found.values();
  const named = (line: string) => (line.startsWith('LANGUAGES_DIR') ? line : `LANGUAGES_DIR: ${line}`);
  return {
    languages: [first, ...others],
    problems: problems.map((line) => named(line)),
    warnings: warnings.map((line) => named(line)),
  };
}

function namesIn(folder: string, problems: string[]): string[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith('.json'));
  } catch (error) {
    problems.push(
      `LANGUAGES_DIR is ${quote(folder)}, which cannot be read (${describeError(error)}); fix the path or the ` +
        "folder's permissions",
    );
    return [];
  }
}

function canonicalTag(name: string): string | undefined {
  try {
    return Intl.getCanonicalLocales(name)[0];
  } catch {
    return undefined;
  }
}
