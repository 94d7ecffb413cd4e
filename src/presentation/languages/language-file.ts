import { closestMatch } from 'leven';
import { en } from './en.ts';
import type { Message, MessageKey } from './messages.ts';

/** What a file of texts holds, and what is wrong with it. */
export interface LanguageFile {
  readonly messages: Readonly<Partial<Record<MessageKey, Message>>>;
  /** For which the file must not be used. */
  readonly problems: readonly string[];
  /** Keys that it has for nothing. */
  readonly warnings: readonly string[];
}

const KEYS = Object.keys(en) as MessageKey[];
const CATEGORIES = ['zero', 'one', 'two', 'few', 'many', 'other'];

/** Reads the JSON of a language: keys to texts, as the English catalogue has them. */
export function parseLanguageFile(text: string, file: string): LanguageFile {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { messages: {}, problems: [`${file} is not JSON (${reason}); fix it there`], warnings: [] };
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    const problem = `${file} must hold one JSON object with texts by their keys, such as {"home.try": "…"}`;
    return { messages: {}, problems: [problem], warnings: [] };
  }
  const messages: Partial<Record<MessageKey, Message>> = {};
  const problems: string[] = [];
  const warnings: string[] = [];
  for (const [key, value] of Object.entries(parsed)) {
    if (!isKey(key)) {
      const meant = closestMatch(key, KEYS, { maxDistance: 4 });
      warnings.push(
        `${file}: ${JSON.stringify(key)} is not a text of ours${meant === undefined ? '' : `; did you mean ${meant}?`}`,
      );
      continue;
    }
    const wrong = whatIsWrong(key, value);
    if (wrong === undefined) messages[key] = value as Message;
    else problems.push(`${file}: ${key} ${wrong}`);
  }
  return { messages, problems, warnings };
}

function isKey(key: string): key is MessageKey {
  return Object.hasOwn(en, key);
}

function whatIsWrong(key: MessageKey, value: unknown): string | undefined {
  const model: Message = en[key];
  if (typeof model === 'string') return typeof value === 'string' ? unknownNames(model, value) : 'must be a text';
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, 'other'))
    return 'must have a text for each plural form, such as {"one": "…", "other": "…"}';
  for (const [category, form] of Object.entries(value)) {
    if (!CATEGORIES.includes(category)) return `has the plural form ${category}; there are ${CATEGORIES.join(', ')}`;
    if (typeof form !== 'string') return `must have a text at ${category}`;
    const wrong = unknownNames(model.other, form);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

/** A visitor would read the braces. */
function unknownNames(model: string, text: string): string | undefined {
  const known = names(model);
  const [unknown] = names(text).filter((name) => !known.includes(name));
  if (unknown === undefined) return undefined;
  const rather = known.length === 0 ? 'it takes none' : `use ${known.join(', ')}`;
  return `has ${unknown}, which nothing is put in for; ${rather}`;
}

function names(text: string): string[] {
  return text.match(/\{\w+\}/g) ?? [];
}
