import type { TemplateDraft } from './template-yaml.ts';

/** What is wrong in a file with this one template, as `templates check` says it. */
export type JudgeDraft = (draft: TemplateDraft) => readonly string[];
/** Told of what was left out; `service` is the one that it belonged to, and without it the app. */
type TellLeftOut = (text: string, key: string, service: string | undefined) => void;

/** Without these there is no template; what is wrong with them a person has to put right. */
const NEEDED = ['name', 'image', 'port', 'services'];
/** Of which each entry counts by itself. */
const BY_ENTRY = ['env', 'capabilities', 'sysctls', 'tmpfs', 'files', 'limits'];
/** What may contradict others goes last, so that it gives way. */
const GIVES_WAY = ['read_only'];

interface Part {
  readonly key: string;
  /** Undefined for a whole key, and for an entry of a list. */
  readonly name?: string;
  readonly value: unknown;
}

/**
 * The draft without what a template cannot have, each told with the reason, and what is wrong all the same. Built up
 * part by part, so that of two that contradict each other one stays.
 */
export function acceptedDraft(
  draft: TemplateDraft,
  judge: JudgeDraft,
  tell: TellLeftOut,
): { readonly draft: TemplateDraft; readonly problems: readonly string[] } {
  if (judge(draft).length === 0) return { draft, problems: [] };
  const services = (draft['services'] ?? []) as readonly TemplateDraft[];
  const app = built(draft, (next) => judge(next), tell, undefined);
  const beside: TemplateDraft[] = [];
  const whole = (): TemplateDraft => (beside.length > 0 ? { ...app, services: [...beside] } : app);
  for (const service of services) {
    const together = (next: TemplateDraft) => judge({ ...app, services: [...beside, next] });
    beside.push(built(service, together, tell, String(service['name'])));
  }
  return { draft: whole(), problems: judge(whole()).map(reason) };
}

function built(draft: TemplateDraft, judge: JudgeDraft, tell: TellLeftOut, service: string | undefined): TemplateDraft {
  let current: TemplateDraft = Object.fromEntries(
    Object.entries(draft).filter(([key]) => NEEDED.includes(key) && key !== 'services'),
  );
  let known = judge(current).map(reason);
  for (const part of partsOf(draft)) {
    const next = withPart(current, part);
    const problems = judge(next).map(reason);
    const [first, ...more] = problems.filter((problem) => !known.includes(problem));
    if (first === undefined) {
      current = next;
      known = problems;
    } else tell(`Left out, for a template cannot have it: ${[first, ...more].join('; ')}`, part.key, service);
  }
  return current;
}

function partsOf(draft: TemplateDraft): Part[] {
  const parts = Object.entries(draft)
    .filter(([key]) => !NEEDED.includes(key))
    .flatMap(([key, value]): Part[] => {
      if (!BY_ENTRY.includes(key) || typeof value !== 'object' || value === null) return [{ key, value }];
      if (Array.isArray(value)) return value.map((item: unknown) => ({ key, value: [item] }));
      return Object.entries(value).map(([name, inner]: [string, unknown]) => ({ key, name, value: inner }));
    });
  const givesWay = ({ key }: Part): boolean => GIVES_WAY.includes(key);
  return [...parts.filter((part) => !givesWay(part)), ...parts.filter(givesWay)];
}

function withPart(draft: TemplateDraft, { key, name, value }: Part): TemplateDraft {
  const had = draft[key];
  if (name !== undefined) return { ...draft, [key]: { ...(had as TemplateDraft | undefined), [name]: value } };
  const lists = [had, value].filter((each): each is readonly unknown[] => Array.isArray(each));
  return { ...draft, [key]: lists.length === 2 ? lists.flat() : value };
}

/** Without the line and the place in the list, which the file that is printed need not have. */
function reason(problem: string): string {
  return problem.replace(/^.*?:\d+: /, '').replaceAll(/\btemplates\[0\]\.(services\[\d+\]\.)?/g, '');
}
