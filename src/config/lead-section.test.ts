import { describe, expect, it } from 'vitest';
import { problems, template, withLines } from '../../test/support/catalogue.ts';
import { file, read } from '../../test/support/config.ts';
import { template as anyTemplate } from '../../test/support/templates.ts';
import { VISIT_EVENT_TYPES } from '../domain/visit-event.ts';
import type { Webhook } from '../domain/webhook.ts';
import { leadProblems } from './lead-section.ts';
import { loadConfig } from './load.ts';

const REST = 'text: You may write to me., privacy_url: https://example.org/privacy';

describe('what visitors are asked', () => {
  it('is nothing, unless a template says what, when and why', () => {
    expect(template().lead).toBeUndefined();
    expect(
      template(
        'lead:',
        '  ask: before',
        '  required: true',
        '  fields: [email, name]',
        '  optional: [company]',
        '  text: { en: You may write to me., de: Sie dürfen mir schreiben. }',
        '  privacy_url: https://example.org/privacy',
      ).lead,
    ).toEqual({
      ask: 'before',
      required: true,
      fields: [
        { name: 'email', required: true },
        { name: 'name', required: true },
        { name: 'company', required: false },
      ],
      text: [
        { tag: 'en', text: 'You may write to me.' },
        { tag: 'de', text: 'Sie dürfen mir schreiben.' },
      ],
      privacyUrl: 'https://example.org/privacy',
    });
    expect(template(`lead: { ask: during, fields: [email], ${REST} }`).lead).toMatchObject({
      ask: 'during',
      required: false,
      text: [{ tag: undefined, text: 'You may write to me.' }],
    });
  });

  it.each([
    ['lead: yes', 'must be a group of settings'],
    [`lead: { fields: [email], ${REST} }`, 'lead.ask is missing'],
    [`lead: { ask: later, fields: [email], ${REST} }`, 'before, during'],
    [`lead: { ask: during, ${REST} }`, 'lead.fields is missing'],
    [`lead: { ask: during, fields: [], ${REST} }`, 'lead.fields is an empty list'],
    [`lead: { ask: during, fields: [password], ${REST} }`, 'email, name, company'],
    [`lead: { ask: during, fields: [email], optional: [email], ${REST} }`, 'asks for email twice'],
    [`lead: { ask: during, required: true, fields: [email], ${REST} }`, 'goes with ask: before only'],
    ['lead: { ask: during, fields: [email], text: Fine. }', 'lead.privacy_url is missing'],
    ['lead: { ask: during, fields: [email], privacy_url: https://a.example }', 'lead.text is missing'],
    ['lead: { ask: during, fields: [email], text: "", privacy_url: https://a.example }', 'lead.text is ""'],
    [`lead: { ask: during, fields: [email], text: Fine., privacy_url: "javascript:alert(1)" }`, 'https:// or http://'],
  ])('is not %s', (line, problem) => {
    expect(problems(withLines(line)).join('\n')).toContain(problem);
  });
});

describe('what nobody would ever get', () => {
  const asking = [
    anyTemplate({ name: 'shop', lead: template(`lead: { ask: during, fields: [email], ${REST} }`).lead }),
  ];
  const webhook = (events: Webhook['events']): Webhook => ({
    name: 'crm',
    url: 'https://crm.example',
    secrets: [],
    events,
    timeoutMs: 1,
    retryForMs: 1,
  });

  it('is not asked for', () => {
    expect(leadProblems([anyTemplate()], [])).toEqual([]);
    expect(leadProblems(asking, [webhook(VISIT_EVENT_TYPES)])).toEqual([]);
    expect(leadProblems(asking, []).join()).toMatch(/template shop .* no webhook .* set WEBHOOKS_FILE/);
    expect(leadProblems(asking, [webhook(['ended'])]).join()).toMatch(/add lead_given to the events/);
  });

  it('keeps a server from starting, and nothing that hands out nothing', () => {
    const text = `templates: [{ name: shop, image: app, port: 80, lead: { ask: during, fields: [email], ${REST} } }]`;
    const env = { TEMPLATES_FILE: file(text, 'templates.yaml') };
    expect(() => loadConfig(env, read, { serves: true })).toThrow('no webhook takes the event lead_given');
    expect(loadConfig(env, read).config.templates).toHaveLength(1);
  });
});
