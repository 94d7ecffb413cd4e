import { hintIn } from '../domain/failure-hints.ts';
import type { ReadyTrial } from '../pool/try-template.ts';
import type { ImageFacts } from '../runtime/engine.ts';
import { AS_ROOT, isRoot } from './as-root.ts';
import { changedDraft } from './changed-draft.ts';
import type { Note, TemplateDraft } from './template-yaml.ts';
import type { Trials } from './trials.ts';

interface Tried {
  readonly draft: TemplateDraft;
  readonly notes: readonly Note[];
  readonly trial: ReadyTrial;
}

/**
 * A server may come up although it was refused what it asked for: it stays root, which may do nothing in a visitor's
 * container, and fails at the first file that is its own user's. So it is tried with what such servers need, and that
 * is kept where it changes its user then, or complains no more. One of both trials is left running.
 */
export async function tryUserChange(trials: Trials, facts: ImageFacts, tried: Tried): Promise<Tried> {
  const draft = isRoot(facts.user) ? changedDraft(tried.draft, AS_ROOT) : undefined;
  if (draft === undefined) return tried;
  const again = await trials.run(draft);
  if (again.kind === 'failed') return tried;
  const why = whyKept(tried.trial, again);
  await trials.remove((why === undefined ? again : tried.trial).container);
  if (why === undefined) return tried;
  return { draft, notes: [...tried.notes, { key: 'capabilities', text: why }], trial: again };
}

/** Undefined where they change nothing that can be seen. */
export function whyKept(
  without: Pick<ReadyTrial, 'users' | 'output'>,
  having: Pick<ReadyTrial, 'users' | 'output'>,
): string | undefined {
  const complaint = complaintIn(without.output);
  if (complaint !== undefined && complaintIn(having.output) === undefined)
    return `Without: it comes up, but was refused something: ${complaint}`;
  if ((having.users ?? 0) > (without.users ?? Infinity))
    return "Without: it comes up, but cannot change to its own user, so that it may not write what is that user's.";
  return undefined;
}

function complaintIn(output: string): string | undefined {
  return output.split('\n').find((line) => hintIn(line)?.change?.kind === 'capabilities');
}
