import type { ProcessSettings } from './process-settings.ts';

/** What an instance has that no other has, by the name it has in templates, in hooks and in an app's environment. */
export const PLACEHOLDERS = [
  'TRY_IT_NOW_INSTANCE_ID',
  'TRY_IT_NOW_HOSTNAME',
  'TRY_IT_NOW_URL',
  'TRY_IT_NOW_SEED',
  'TRY_IT_NOW_DATABASE_SOCKET',
  'TRY_IT_NOW_DATABASE_NAME',
  'TRY_IT_NOW_DATABASE_USER',
  'TRY_IT_NOW_DATABASE_PASSWORD',
] as const;

export type Placeholder = (typeof PLACEHOLDERS)[number];

/** Values by name; those of the database are missing without one. */
export type InstanceValues = Readonly<Partial<Record<Placeholder, string>>>;

/** Everybody on the host can read the arguments of a process. */
export const SECRET_PLACEHOLDERS: readonly Placeholder[] = ['TRY_IT_NOW_SEED', 'TRY_IT_NOW_DATABASE_PASSWORD'];

/** `$${` stands for a literal `${`; only what begins with our prefix is ours, everything else stays as it is. */
const MARK = /\$\$\{|\$\{(TRY_IT_NOW_[A-Za-z0-9_]*)\}/g;

/** The names in the text that begin as ours do, whether there is such a placeholder or not. */
export function placeholderNames(text: string): readonly string[] {
  return [...text.matchAll(MARK)].flatMap(([, name]) => name ?? []);
}

export function isPlaceholder(name: string): name is Placeholder {
  return (PLACEHOLDERS as readonly string[]).includes(name);
}

export function isOfDatabase(name: Placeholder): boolean {
  return name.startsWith('TRY_IT_NOW_DATABASE_');
}

/** Throws an error for a value that is not known: a template that could need it was to be refused. */
export function fillPlaceholders(text: string, values: InstanceValues): string {
  return text.replace(MARK, (_mark, name: string | undefined) => {
    if (name === undefined) return '${';
    const value = isPlaceholder(name) ? values[name] : undefined;
    if (value === undefined) throw new Error(`no value is known for \${${name}}`);
    return value;
  });
}

/** Those a container needs before its first process starts; with any of them it can't come from a checkpoint. */
export function startPlaceholders(template: {
  readonly env: Readonly<Record<string, string>>;
  readonly process: ProcessSettings;
}): readonly Placeholder[] {
  const { entrypoint = [], command = [], args, files } = template.process;
  const texts = [
    ...Object.values(template.env),
    ...entrypoint,
    ...command,
    ...args,
    ...files.flatMap(({ content, encoding }) => (encoding === 'utf8' ? content : [])),
  ];
  const named = new Set(texts.flatMap(placeholderNames));
  return PLACEHOLDERS.filter((name) => named.has(name));
}
