import { describe, expect, it } from 'vitest';
import { LEAD_FIELDS, parseLead, type LeadField, type LeadForm } from './lead.ts';

const form: LeadForm = {
  ask: 'before',
  required: false,
  fields: [
    { name: 'email', required: true },
    { name: 'phone', required: false },
    { name: 'message', required: false },
  ],
  text: [{ tag: undefined, text: 'You may write to me.' }],
  privacyUrl: 'https://example.org/privacy',
};
const SOUND = { email: 'ann@example.org', consent: 'yes' };
const parse = (sent: Readonly<Record<string, string>>) =>
  parseLead(form, (name) => (Object.hasOwn(sent, name) ? sent[name] : undefined));

describe('What a visitor tells', () => {
  it('is what the form asks for, and nothing else', () => {
    expect(parse({ ...SOUND, phone: ' ', message: ' Hello,\r\nhow much? ', name: 'Ann', role: 'boss' })).toEqual({
      lead: { email: 'ann@example.org', message: 'Hello, how much?' },
    });
  });

  it.each([
    [{ email: '' }, { email: 'missing' }],
    [{ email: 'ann' }, { email: 'malformed' }],
    [{ email: 'ann@localhost' }, { email: 'malformed' }],
    [{ email: 'ann@example.org, bob@example.org' }, { email: 'malformed' }],
    [{ email: 'ann@exa\u0000mple.org' }, { email: 'malformed' }],
    [{ email: `${'a'.repeat(250)}@example.org` }, { email: 'too_long' }],
    [{ phone: 'call me' }, { phone: 'malformed' }],
    [{ message: 'a\u001bb' }, { message: 'malformed' }],
    [{ message: 'a\u2028b' }, { message: 'malformed' }],
    [{ message: 'x'.repeat(321) }, { message: 'too_long' }],
    [{ consent: '' }, { consent: 'missing' }],
    [{ consent: 'on' }, { consent: 'missing' }],
    [
      { email: '', consent: 'no' },
      { email: 'missing', consent: 'missing' },
    ],
  ])('is not %j', (sent, problems) => {
    expect(parse({ ...SOUND, ...sent })).toMatchObject({ problems });
  });

  it('comes back to be put right, no longer than a page can bear', () => {
    const found = parse({ email: 'x'.repeat(10_000), consent: 'yes' });
    expect(found).toMatchObject({ given: { email: 'x'.repeat(508) }, consent: true });
  });

  it('is never more than an event takes', () => {
    for (const { max } of Object.values(LEAD_FIELDS)) expect(max).toBeLessThanOrEqual(320);
    const longest = Object.fromEntries(
      (Object.keys(LEAD_FIELDS) as LeadField[]).map((name) => [name, 'ü'.repeat(LEAD_FIELDS[name].max)]),
    );
    expect(Buffer.byteLength(JSON.stringify(longest))).toBeLessThan(8 * 1024);
  });
});
