import { ParseError } from '../config/parsers.ts';
import { INSTANCE_NAMES, SERVICE_NAME_LENGTH, serviceName } from '../config/services-section.ts';

/** Of each service of a Compose file what it is called beside an app: as it was, where a template can have that. */
export function serviceNames(names: readonly string[]): ReadonlyMap<string, string> {
  const called = new Map(names.filter(isFit).map((name) => [name, name]));
  for (const name of names)
    if (!called.has(name)) called.set(name, free(plain(name), [...INSTANCE_NAMES, ...called.values()]));
  return called;
}

/** What a person should know of the new name; undefined where it is the old one. */
export function renaming(name: string, called: string): string | undefined {
  if (name === called) return undefined;
  return INSTANCE_NAMES.includes(name)
    ? `${name} is called ${called}, for ${name} stands for the instance itself. It is reached as ${name} as before: ` +
        'all containers of an instance share 127.0.0.1.'
    : `${name} is called ${called}, for no service can have its name. Whatever names it as a host, such as env or ` +
        `files, has to say ${called}.`;
}

function isFit(name: string): boolean {
  return !INSTANCE_NAMES.includes(name) && !(serviceName.parse(name) instanceof ParseError);
}

function plain(name: string): string {
  const text = name
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, '-')
    .replace(/^[_-]+/, '');
  return shortened(/^[a-z]/.test(text) ? text : `service-${text}`, SERVICE_NAME_LENGTH);
}

function free(name: string, taken: readonly string[]): string {
  for (let count = 1; ; count += 1) {
    const end = count === 1 ? '' : `-${count}`;
    const tried = `${shortened(name, SERVICE_NAME_LENGTH - end.length)}${end}`;
    if (!taken.includes(tried)) return tried;
  }
}

function shortened(name: string, length: number): string {
  return name.slice(0, length).replace(/[_-]+$/, '');
}
