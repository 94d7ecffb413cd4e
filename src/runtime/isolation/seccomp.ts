import { readFileSync } from 'node:fs';
import type { SeccompFilter } from '../../domain/template.ts';

/** Ours, made by `npm run generate`; see scripts/seccomp/subtract.ts. */
export const OWN_FILTERS = ['default', 'strict'] as const;

export function ownFilter(name: (typeof OWN_FILTERS)[number]): SeccompFilter {
  // Those that checkpoints were made with which do not say by themselves what operators had decided.
  return { name, profile: profileIn(`./seccomp/${name}.json`), earlier: [profileIn(`./seccomp/earlier/${name}.json`)] };
}

function profileIn(file: string): string {
  return compact(readFileSync(new URL(file, import.meta.url), 'utf8'));
}

/** In one spelling, so that equal profiles are equal texts; without comments. Throws an error where it is no JSON. */
export function compact(profile: string): string {
  return JSON.stringify(JSON.parse(profile), (key, value: unknown) => (key === 'comment' ? undefined : value));
}
