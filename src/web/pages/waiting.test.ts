import { expect, it } from 'vitest';
import { en } from '../../presentation/languages/en.ts';
import { Translator } from '../../presentation/languages/translator.ts';
import { progressText } from './waiting.ts';

it('says how somebody stands in the digits of their language', () => {
  const place = { waitedMs: 0, turn: false, warming: 1, reason: 'preparing', etaMs: 60_000, note: undefined } as const;
  const said = progressText(new Translator({ tag: 'fa', messages: en }), 'preparing', { ...place, position: 12 });
  expect(said).toContain('number ۱۲ in the line');
  expect(said).not.toMatch(/[0-9]/);
});
