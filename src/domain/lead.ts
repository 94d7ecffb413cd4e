/** What visitors may be asked of themselves. `max` counts UTF-16 units, as browsers do. */
export const LEAD_FIELDS = {
  email: { max: 254 },
  name: { max: 120 },
  company: { max: 120 },
  phone: { max: 40 },
  country: { max: 80 },
  message: { max: 320 },
} as const satisfies Record<string, { readonly max: number }>;
export type LeadField = keyof typeof LEAD_FIELDS;
export const LEAD_FIELD_NAMES = Object.keys(LEAD_FIELDS) as readonly LeadField[];

/** A text in the languages it was written in; the first is for the others. */
type Texts = readonly [Line, ...Line[]];
interface Line {
  readonly tag: string | undefined;
  readonly text: string;
}

/** What a template asks its visitors of themselves. */
export interface LeadForm {
  /** Before they are handed an instance, or while they have it. */
  readonly ask: 'before' | 'during';
  /** Asked before: nobody gets an instance who does not answer. */
  readonly required: boolean;
  /** In the order of the form. */
  readonly fields: readonly { readonly name: LeadField; readonly required: boolean }[];
  /** What they agree to by giving it. */
  readonly text: Texts;
  /** Where it says what becomes of it. */
  readonly privacyUrl: string;
}

/** By field. */
export type Lead = Readonly<Partial<Record<LeadField, string>>>;

/** Of a field, or of the consent. */
type LeadProblem = 'missing' | 'malformed' | 'too_long';
export type LeadProblems = Readonly<Partial<Record<LeadField | 'consent', LeadProblem>>>;

export type ParsedLead =
  { readonly lead: Lead } | { readonly problems: LeadProblems; readonly given: Lead; readonly consent: boolean };

/** As browsers check `type="email"`, and with a dot in its domain. */
const EMAIL =
  /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}$/;
const PHONE = /^\+?[\d ()./-]{5,}$/;
// oxlint-disable-next-line no-control-regex -- control characters are exactly what must not pass
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;
/** What stands in the form's field for the consent. */
export const CONSENT = 'yes';

/**
 * What somebody sent in the form. `valueOf` gives a field's text as it was sent. Ends of lines become blanks; every
 * other control character is refused.
 */
export function parseLead(form: LeadForm, valueOf: (field: string) => string | undefined): ParsedLead {
  const given: Partial<Record<LeadField, string>> = {};
  const problems: Partial<Record<LeadField | 'consent', LeadProblem>> = {};
  for (const { name, required } of form.fields) {
    const text = (valueOf(name) ?? '').replace(/[\r\n\t]+/g, ' ').trim();
    if (text !== '') given[name] = text.slice(0, 2 * LEAD_FIELDS[name].max);
    const problem = problemOf(name, text, required);
    if (problem !== undefined) problems[name] = problem;
  }
  const consent = valueOf('consent') === CONSENT;
  if (!consent) problems.consent = 'missing';
  return Object.keys(problems).length === 0 ? { lead: given } : { problems, given, consent };
}

function problemOf(name: LeadField, text: string, required: boolean): LeadProblem | undefined {
  if (text === '') return required ? 'missing' : undefined;
  if (text.length > LEAD_FIELDS[name].max) return 'too_long';
  if (CONTROL.test(text)) return 'malformed';
  if (name === 'email' && !EMAIL.test(text)) return 'malformed';
  return name === 'phone' && !PHONE.test(text) ? 'malformed' : undefined;
}
