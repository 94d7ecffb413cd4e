import { describe, expect, it } from 'vitest';
import { html } from '../html.ts';
import { en } from './en.ts';
import { Translator } from './translator.ts';

const english = new Translator({ tag: 'en', messages: en });

describe('the texts of a language', () => {
  it('take what is put in as text, and as HTML only what is HTML', () => {
    expect(english.text('home.open_label', { app: '<b>' })).toBe('Open yours: <b>');
    expect(english.html('home.operators_say', { reason: '<b>' }).text).toBe('The operators say: &lt;b&gt;');
    expect(english.html('home.operators_say', { reason: html`<q>${'<b>'}</q>` }).text).toBe(
      'The operators say: <q>&lt;b&gt;</q>',
    );
  });

  it('follow the plural forms and the order of the language, and its way to write numbers', () => {
    const polish = new Translator({
      tag: 'pl',
      messages: {
        ...en,
        'waiting.progress_warming': { one: '{count} kopia', few: '{count} kopie', other: 'kopii: {count}' },
        'waiting.gave_up_text': '{time} – {app}',
      },
    });
    const counted = (count: number) => polish.text('waiting.progress_warming', { count });
    expect([1, 3, 5, 12_345].map(counted)).toEqual(['1 kopia', '3 kopie', 'kopii: 5', 'kopii: 12\u00a0345']);
    expect(polish.text('waiting.gave_up_text', { app: 'Notes', time: '1 min' })).toBe('1 min – Notes');
  });

  it('follow the plural forms of English where they are in English', () => {
    const inEnglish = new Set(['waiting.progress_warming'] as const);
    const russian = new Translator({ tag: 'ru', messages: en, inEnglish });
    expect([1, 2, 21].map((count) => russian.text('waiting.progress_warming', { count }))).toEqual([
      'One copy is being prepared',
      '2 copies are being prepared',
      '21 copies are being prepared',
    ]);
  });

  it('are read in the direction of their script', () => {
    const directions = ['en', 'ar', 'he', 'fa-IR', 'ur', 'az-Arab', 'az', 'ar-XB', 'zh'].map(
      (tag) => new Translator({ tag, messages: en }).direction,
    );
    expect(directions).toEqual(['ltr', 'rtl', 'rtl', 'rtl', 'rtl', 'rtl', 'ltr', 'rtl', 'ltr']);
  });
});

describe('a duration', () => {
  it.each([
    [0, '0 sec', '0 Sek.'],
    [119, '119 sec', '119 Sek.'],
    [120, '2 min', '2 Min.'],
    [121, '3 min', '3 Min.'],
    [3_599, '1 hr', '1 Std.'],
    [3_600, '1 hr', '1 Std.'],
    [5_400, '1 hr 30 min', '1 Std., 30 Min.'],
    [172_800, '48 hr', '48 Std.'],
  ])('of %i seconds is %s', (seconds, inEnglish, inGerman) => {
    expect(english.duration(seconds)).toBe(inEnglish);
    expect(new Translator({ tag: 'de', messages: en }).duration(seconds)).toBe(inGerman);
  });

  it('has a form that is spelt out', () => {
    expect([english.duration(90, 'long'), english.duration(900, 'long')]).toEqual(['90 seconds', '15 minutes']);
  });
});
