import { expect } from 'vitest';
import type { Diagnosis } from '../../src/doctor/check.ts';

/** One check's outcome among all. */
export function about(found: readonly Diagnosis[], part: string, what: string): Diagnosis | undefined {
  return found.find((diagnosis) => diagnosis.part === part && diagnosis.what === what);
}

/** A matcher in place of the text. */
export function containing(text: string): string {
  return expect.stringContaining(text) as string;
}

export function matching(pattern: RegExp): string {
  return expect.stringMatching(pattern) as string;
}
