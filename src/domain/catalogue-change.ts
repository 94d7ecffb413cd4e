import { templateVersion, type Template } from './template.ts';

/** What becomes of one template when the catalogue is replaced. */
export type TemplateChange =
  | { readonly kind: 'added' | 'removed' | 'unchanged'; readonly name: string }
  | {
      readonly kind: 'changed';
      readonly name: string;
      /** As the catalogue file calls them. */
      readonly keys: readonly string[];
      /** An instance of the old one would not do for the new one. */
      readonly replaces: boolean;
    };

/** In the order of the new catalogue; what is removed comes last. */
export function catalogueChanges(before: readonly Template[], after: readonly Template[]): readonly TemplateChange[] {
  const old = new Map(before.map((template) => [template.name, template]));
  const offered = new Set(after.map(({ name }) => name));
  return [
    ...after.map((template) => changeOf(old.get(template.name), template)),
    ...before.flatMap(({ name }): TemplateChange[] => (offered.has(name) ? [] : [{ kind: 'removed', name }])),
  ];
}

function changeOf(before: Template | undefined, after: Template): TemplateChange {
  const { name } = after;
  if (before === undefined) return { kind: 'added', name };
  if (before === after) return { kind: 'unchanged', name };
  const [was, is] = [byKey(before), byKey(after)];
  const keys = [...new Set([...was.keys(), ...is.keys()])].filter((key) => was.get(key) !== is.get(key));
  return keys.length === 0
    ? { kind: 'unchanged', name }
    : { kind: 'changed', name, keys: keys.sort(), replaces: templateVersion(before) !== templateVersion(after) };
}

/** What is called otherwise in the catalogue file, or is a part of something there. */
const KEYS: Readonly<Record<string, string>> = {
  openAllow: 'open',
  callToAction: 'call_to_action',
  disk: 'limits',
  unusedCpu: 'limits',
  databaseBytes: 'limits',
  renewOnUse: 'renew',
  allowedOrigins: 'allowed_origins',
  maxAgeMs: 'max_age',
  endsAtMs: 'ends_at',
  imageCheck: 'image_check',
  shmBytes: 'limits',
  readOnly: 'read_only',
  stopSignal: 'stop_signal',
};

function byKey({ process, ...template }: Template): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const [field, value] of Object.entries({ ...template, ...process })) {
    const key = KEYS[field] ?? field;
    values.set(key, `${values.get(key) ?? ''}${field}=${value === undefined ? '' : JSON.stringify(value)};`);
  }
  return values;
}
