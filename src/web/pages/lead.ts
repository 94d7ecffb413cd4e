import {
  CONSENT,
  LEAD_FIELDS,
  type Lead,
  type LeadField,
  type LeadForm,
  type LeadProblems,
} from '../../domain/lead.ts';
import type { Template } from '../../domain/template.ts';
import { localText } from '../../presentation/branding.ts';
import { html, type Html } from '../../presentation/html.ts';
import type { Translator } from '../../presentation/languages/translator.ts';
import type { Presentation } from '../presentation.ts';
import { page } from './layout.ts';

export interface LeadParts {
  readonly presentation: Presentation;
  readonly template: Template;
  readonly form: LeadForm;
  /** Where the form is sent. */
  readonly action: string;
  /** What goes along unseen. */
  readonly fields: Html | undefined;
  /** What was wrong with what was sent. */
  readonly problems?: LeadProblems;
  readonly given?: Lead;
  readonly consent?: boolean;
}

/** What is in the field `lead` of the form: which of its buttons was clicked. */
export const LEAD_CHOICES = { given: 'given', skipped: 'skipped' } as const;

/** The same answer, for a form that sends the click again by itself. */
export function toldFields(lead: Lead): Html {
  const fields = { lead: LEAD_CHOICES.given, consent: CONSENT, ...lead };
  return html`${Object.entries(fields).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
  )}`;
}

const INPUTS: Readonly<Record<LeadField, { readonly type: string; readonly autocomplete: string }>> = {
  email: { type: 'email', autocomplete: 'email' },
  name: { type: 'text', autocomplete: 'name' },
  company: { type: 'text', autocomplete: 'organization' },
  phone: { type: 'tel', autocomplete: 'tel' },
  country: { type: 'text', autocomplete: 'country-name' },
  message: { type: 'text', autocomplete: 'off' },
};

/** Asks a visitor for what the template wants to know of them. Works without scripts. */
export function leadPage(parts: LeadParts): string {
  const { presentation, template, form, problems = {} } = parts;
  const { t } = presentation;
  const app = template.title;
  const wrong = Object.keys(problems).length > 0;
  const heading = t.text(`lead.${form.ask}_heading`);
  return page({
    presentation,
    title: wrong ? t.text('lead.wrong_title', { title: heading }) : heading,
    body: html`
<section class="panel">
<h1>${heading}</h1>
<p>${t.text(`lead.${form.ask}_text`, { app })}</p>
${wrong && html`<p class="note" role="alert">${t.text('lead.problems')}</p>`}
<form method="post" action="${parts.action}" class="lead">
${parts.fields}
${form.fields.map(({ name, required }) => input(t, parts, name, required))}
${consent(t, parts)}
<p class="buttons"><button class="primary" name="lead" value="${LEAD_CHOICES.given}">\
${t.text(form.ask === 'before' ? 'lead.continue' : 'lead.send')}</button>\
${
  form.ask === 'before' &&
  !form.required &&
  html`<button class="quiet" name="lead" value="${LEAD_CHOICES.skipped}" formnovalidate>${t.text('lead.skip')}</button>`
}</p>
</form>
</section>`,
  });
}

function input(t: Translator, { problems = {}, given = {} }: LeadParts, name: LeadField, required: boolean): Html {
  const problem = problems[name];
  const label = t.text(`lead.${name}`);
  const { type, autocomplete } = INPUTS[name];
  const attributes = html`id="lead-${name}" name="${name}" maxlength="${LEAD_FIELDS[name].max}" \
autocomplete="${autocomplete}"${required && html` required`}\
${problem !== undefined && html` aria-invalid="true" aria-describedby="wrong-${name}"`}`;
  return html`<p class="field"><label for="lead-${name}">${
    required ? label : t.text('lead.optional', { field: label })
  }</label>
${
  name === 'message'
    ? html`<textarea ${attributes} rows="3">${given[name]}</textarea>`
    : html`<input type="${type}" value="${given[name] ?? ''}" ${attributes}>`
}
${problem !== undefined && html`<span class="wrong" id="wrong-${name}">${problemText(t, name, problem)}</span>`}</p>
`;
}

function problemText(t: Translator, name: LeadField, problem: NonNullable<LeadProblems[LeadField]>): string {
  if (problem === 'too_long') return t.text('lead.too_long', { count: LEAD_FIELDS[name].max });
  if (problem === 'malformed' && name === 'email') return t.text('lead.malformed_email');
  return t.text(`lead.${problem}`);
}

function consent(t: Translator, { form, problems = {}, consent: given = false }: LeadParts): Html {
  const wrong = problems.consent !== undefined;
  return html`<p class="consent"><input type="checkbox" id="lead-consent" name="consent" value="${CONSENT}" required\
${given && html` checked`}${wrong && html` aria-invalid="true" aria-describedby="wrong-consent"`}>
<span><label for="lead-consent">${localText(t, form.text)}</label> \
<a href="${form.privacyUrl}" target="_blank" rel="noopener">${t.text('lead.privacy')}</a>\
${wrong && html`<span class="wrong" id="wrong-consent">${t.text('lead.consent_missing')}</span>`}</span></p>`;
}

/** After it was sent. */
export function thanksPage({ presentation, template }: Pick<LeadParts, 'presentation' | 'template'>): string {
  const { t } = presentation;
  return page({
    presentation,
    title: t.text('lead.thanks_heading'),
    body: html`
<section class="panel">
<h1>${t.text('lead.thanks_heading')}</h1>
<p role="status">${t.text('lead.thanks_text', { app: template.title })}</p>
<p><a class="button quiet" href="/">${t.text('site.back')}</a></p>
</section>`,
  });
}
