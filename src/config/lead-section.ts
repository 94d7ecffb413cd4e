import { LEAD_FIELD_NAMES, type LeadForm } from '../domain/lead.ts';
import type { Template } from '../domain/template.ts';
import type { Webhook } from '../domain/webhook.ts';
import { requiredLocalText } from './local-text.ts';
import { ParseError, bool, oneOf, prose, type Parser } from './parsers.ts';
import type { YamlSection } from './yaml-section.ts';

const KEYS = ['ask', 'required', 'fields', 'optional', 'text', 'privacy_url'];
const ASK = oneOf(['before', 'during']);
const TEXT = prose(500);
const FIELD = oneOf(LEAD_FIELD_NAMES);
const PRIVACY_URL: Parser<string> = {
  type: 'URL',
  expects: 'an address that starts with https:// or http://, such as https://example.org/privacy',
  parse: (text) => (/^https?:\/\/[\x21-\x7e]{1,1000}$/.test(text) && URL.canParse(text) ? text : new ParseError()),
};

/** What visitors are asked of themselves. */
export function readLead(section: YamlSection): LeadForm | undefined {
  if (!section.has('lead')) return undefined;
  const form = section.section('lead', KEYS);
  const ask = form.require('ask', ASK)?.value;
  const required = form.read('required', bool)?.value ?? false;
  if (required && ask === 'during')
    form.report('lead.required holds back the hand-over, so it goes with ask: before only; take it out', 'required');
  if (!form.has('fields')) form.require('fields', FIELD);
  const fields = form.has('fields') ? (form.list('fields', FIELD, 1) ?? []) : [];
  const optional = form.list('optional', FIELD) ?? [];
  const all = [
    ...fields.map((name) => ({ name, required: true })),
    ...optional.map((name) => ({ name, required: false })),
  ];
  const twice = all.find(({ name }, at) => all.findIndex((other) => other.name === name) < at);
  if (twice !== undefined)
    form.report(`lead asks for ${twice.name} twice; name it in fields or in optional, once`, 'fields');
  const text = requiredLocalText(form, 'text', TEXT);
  const privacyUrl = form.require('privacy_url', PRIVACY_URL)?.value;
  if (ask === undefined || text === undefined || privacyUrl === undefined) return undefined;
  return { ask, required, fields: all, text, privacyUrl };
}

/** What is asked for and would be given to nobody: it is shown nowhere and kept by nobody but a webhook's receiver. */
export function leadProblems(templates: readonly Template[], webhooks: readonly Webhook[]): string[] {
  if (webhooks.some(({ events }) => events.includes('lead_given'))) return [];
  const where =
    webhooks.length === 0
      ? 'set WEBHOOKS_FILE to a list with a webhook that does'
      : 'add lead_given to the events of one of WEBHOOKS_FILE';
  return templates.flatMap(({ name, lead }) =>
    lead === undefined
      ? []
      : [
          `The template ${name} asks visitors for details (lead), but no webhook takes the event lead_given, so ` +
            `nobody would ever get them; ${where}, or take lead out`,
        ],
  );
}
