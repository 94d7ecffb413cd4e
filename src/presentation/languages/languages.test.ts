import { describe, expect, it } from 'vitest';
import { BUILT_IN_LANGUAGES, Languages } from './languages.ts';
import { en } from './en.ts';

const placeholders = (message: string | Readonly<Record<string, string>>) =>
  [...(typeof message === 'string' ? message : (message['other'] ?? '')).matchAll(/\{\w+\}/g)]
    .map(([name]) => name)
    .sort();

describe('the languages that come along', () => {
  it.each(BUILT_IN_LANGUAGES)('have the placeholders of the English texts: $tag', ({ messages }) => {
    for (const [key, message] of Object.entries(messages))
      expect([key, placeholders(message)]).toEqual([key, placeholders(en[key as keyof typeof en])]);
  });
});

describe('the language for a browser', () => {
  const languages = new Languages([...BUILT_IN_LANGUAGES, { tag: 'pt-BR', messages: en }]);

  it.each([
    [undefined, 'en'],
    ['', 'en'],
    ['de', 'de'],
    ['de-AT,de;q=0.9,en;q=0.8', 'de'],
    ['DE-de', 'de'],
    ['en-GB,en;q=0.9,de;q=0.8', 'en'],
    ['en;q=0.5, de;q=0.9', 'de'],
    ['fr-FR,fr;q=0.9,de;q=0.5', 'de'],
    ['fr', 'en'],
    ['de;q=0, fr', 'en'],
    ['pt', 'pt-BR'],
    ['pt-PT,de', 'de'],
    ['*', 'en'],
    ['den', 'en'],
    ['de;q=x,;;,=,en', 'en'],
  ])('that accepts %s is %s', (header, tag) => {
    expect(languages.accepted(header).tag).toBe(tag);
  });
});
