/** Which system calls a template's containers may make. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import Type from 'typebox';
import Value from 'typebox/value';
import { describeError } from '../domain/errors.ts';
import type { SeccompFilter } from '../domain/template.ts';
import { OWN_FILTERS, compact, ownFilter } from '../runtime/isolation/seccomp.ts';
import { ParseError, type Parser } from './parsers.ts';
import { readableFile } from './paths.ts';
import type { YamlSection } from './yaml-section.ts';

const PROFILE_BYTES = 2 ** 18;
const REFUSING = ['SCMP_ACT_ERRNO', 'SCMP_ACT_KILL', 'SCMP_ACT_KILL_THREAD', 'SCMP_ACT_KILL_PROCESS', 'SCMP_ACT_TRAP'];

/** What both engines read of one; the rest is theirs to judge. */
const Profile = Type.Object({
  defaultAction: Type.String(),
  syscalls: Type.Array(Type.Object({ names: Type.Array(Type.String(), { minItems: 1 }), action: Type.String() })),
});

export function readSeccomp(section: YamlSection, folder: string): SeccompFilter {
  return section.read('seccomp', filter(folder))?.value ?? ownFilter('default');
}

function filter(folder: string): Parser<SeccompFilter> {
  return {
    type: 'filter',
    expects: 'default, strict, or the path of a seccomp profile that ends in .json, relative to the catalogue file',
    parse: (text) => {
      const own = OWN_FILTERS.find((name) => name === text);
      if (own !== undefined) return ownFilter(own);
      if (text === 'unconfined')
        return new ParseError('refused because an instance could then make every system call of the host');
      return text.endsWith('.json') && !text.includes('\0') ? readProfile(resolve(folder, text)) : new ParseError();
    },
  };
}

function readProfile(path: string): SeccompFilter | ParseError {
  const found = readableFile(path);
  if (found instanceof ParseError) return found;
  if (found.size > PROFILE_BYTES) return new ParseError(`${path} has ${Math.ceil(found.size / 2 ** 10)} KiB`);
  try {
    const profile = compact(readFileSync(path, 'utf8'));
    return whyNot(JSON.parse(profile), path) ?? { name: path, profile };
  } catch (error) {
    return new ParseError(`${path} is not JSON: ${describeError(error)}`);
  }
}

function whyNot(profile: unknown, path: string): ParseError | undefined {
  if (!Value.Check(Profile, profile))
    return new ParseError(
      `${path} is not a seccomp profile: it needs defaultAction, and syscalls with names and action`,
    );
  return REFUSING.includes(profile.defaultAction)
    ? undefined
    : new ParseError(
        `${path} lets through what it does not name (defaultAction ${profile.defaultAction}); begin with ` +
          'SCMP_ACT_ERRNO and allow what the app needs',
      );
}
