/** What two clones of a checkpoint must not have in common, and how they are asked for it. */
import type { CheckpointMetadata } from '../domain/checkpoint.ts';
import { TryItNowError } from '../domain/errors.ts';
import { onlyGiven, type Given } from '../domain/identity-answer.ts';
import { ROUNDS, sharedRandom, type AskedPage, type AskedRound } from '../domain/shared-random.ts';
import type { Template } from '../domain/template.ts';
import { sleep } from '../lifecycle/sleep.ts';
import type { Reach } from './activate.ts';
import type { Probe } from './interfaces/probe.ts';

/** What one clone answered after its activation. */
export interface CloneAnswers {
  /** Undefined for a template that says `identity: none`. */
  readonly identity: string | undefined;
  readonly given: Given;
  readonly pages: readonly AskedPage[];
}

/** Each costs `ROUNDS` requests to each clone. */
const MOST_PAGES = 6;
const SECOND_MS = 1_000;
const REMEDY =
  'docs/criu-checkpoint.md#random-numbers says what each language draws from its own memory and how it is given a ' +
  'new seed';

/**
 * Asks what a visitor sees first: the landing page, those of readiness and warm-up, each several times and as somebody
 * new. One that does not answer says nothing.
 */
export async function askPages(
  probe: Pick<Probe, 'visit'>,
  { open, readiness, warmup, checkpoint }: Template,
  { origin, visitor }: Reach,
  signal: AbortSignal,
): Promise<readonly AskedPage[]> {
  const ready = readiness.kind === 'http' ? [readiness.path] : [];
  const paths = [...new Set([open, ...ready, ...warmup, ...checkpoint.warmup])].slice(0, MOST_PAGES);
  const pages = paths.map((path) => ({ path, rounds: [] as AskedRound[] }));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const { path, rounds } of pages) {
      const target = { url: `${origin}${path}`, visitor, timeoutMs: readiness.requestTimeoutMs };
      const began = wallSecond();
      const answers = await probe.visit(target, signal);
      rounds.push({ began, ended: wallSecond(), answers });
    }
  }
  return pages;
}

/**
 * Waits until nothing that is made of the time can be as it was: what the other clone made of the same second is no
 * secret that both have.
 */
export async function untilNextSecond(signal: AbortSignal): Promise<void> {
  await sleep(SECOND_MS - (Date.now() % SECOND_MS), signal);
}

function wallSecond(): number {
  return Math.floor(Date.now() / SECOND_MS);
}

/** Throws checkpoint_not_verified with what is the same, or is no proof of anything. */
export function requireDifferent(
  { id, template }: Pick<CheckpointMetadata, 'id' | 'template'>,
  one: CloneAnswers,
  other: CloneAnswers,
): void {
  const [first, second] = [one.identity, other.identity];
  // Both or none: they are of one template. Without, it says that clones may be the same in everything.
  if (first === undefined || second === undefined) return;
  if (first === second)
    throw new TryItNowError(
      'checkpoint_not_verified',
      `Two clones of checkpoint ${id} gave the same answer to the identity probe of template ${template} ` +
        `(${JSON.stringify(first.slice(0, 200))}), so the activation hook does not make an instance its own`,
    );
  const given = onlyGiven({ answer: first, given: one.given }, { answer: second, given: other.given });
  if (given !== undefined)
    throw new TryItNowError(
      'checkpoint_not_verified',
      `The identity probe of template ${template} proves nothing: two clones of checkpoint ${id} differ in it only ` +
        `by ${given.join(', ')}, which Try It Now gave them, and would do so with the same secrets and random ` +
        'numbers. Have it show a secret that the app made for itself after the activation, or better a hash of one: ' +
        'identity: {exec: [sh, -c, "sha256sum </path/to/secret"]} or {http: /path}; an app that has none says ' +
        'identity: none',
    );
  const shared = sharedRandom(one.pages, other.pages);
  if (shared.length > 0)
    throw new TryItNowError(
      'checkpoint_not_verified',
      `Two clones of checkpoint ${id} hand their visitors the same random values, so that each visitor of template ` +
        `${template} could tell another's: ${shared.join(', ')}. The app draws them from a generator, or signs them ` +
        'with a secret, that was in its memory when the dump was made. Have it draw from the kernel (/dev/urandom, ' +
        `getrandom), or give the generator and the secret a new seed in the activation (TRY_IT_NOW_SEED). ${REMEDY}`,
      { details: { shared } },
    );
}
