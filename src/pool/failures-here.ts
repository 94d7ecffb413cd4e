import type { SteadyClock } from '../domain/clock.ts';
import type { Catalogue } from '../domain/template.ts';

/** Of a template: attempts at an instance, or ready instances that stopped answering. */
export type FailureKind = 'attempt' | 'ready instance';

/** As many in a row as open a template's breaker. */
const TO_BE_AVOIDED = 3;
/** After the last failure. Then the node is tried again, and one more failure has it avoided for as long again. */
export const AVOIDED_MS = 5 * 60_000;

interface Failures {
  /** Of the template: what another version does is not known from it. */
  readonly version: string | undefined;
  readonly times: number;
  readonly atMs: number;
  readonly reason: string;
}

/**
 * What keeps failing on this node, whatever the cause. A breaker counts a template's failures wherever they happen: a
 * node that cannot make it, and so stays the emptiest, would be given one trial after the other, and no other node any.
 */
export class FailuresHere {
  readonly #deps: { readonly catalogue: Pick<Catalogue, 'version'>; readonly steadyClock: SteadyClock };
  readonly #known = new Map<string, Failures>();

  constructor(deps: { readonly catalogue: Pick<Catalogue, 'version'>; readonly steadyClock: SteadyClock }) {
    this.#deps = deps;
  }

  failed(template: string, kind: FailureKind, reason: string): void {
    const { catalogue, steadyClock } = this.#deps;
    const times = (this.#of(template, kind)?.times ?? 0) + 1;
    this.#known.set(key(template, kind), {
      ...{ version: catalogue.version(template), times, atMs: steadyClock.passedMs(), reason },
    });
  }

  /** One came up, or has stayed healthy. */
  worked(template: string, kind: FailureKind): void {
    this.#known.delete(key(template, kind));
  }

  /** A clause for people; empty: nothing speaks against making it here. */
  whyNot(template: string): string {
    for (const [kind, what] of [
      ['attempt', 'attempts at one'],
      ['ready instance', 'ready ones'],
    ] as const) {
      const found = this.#of(template, kind);
      if (found === undefined || found.times < TO_BE_AVOIDED) continue;
      if (this.#deps.steadyClock.passedMs() - found.atMs < AVOIDED_MS)
        return `${found.times} ${what} failed there in a row: ${found.reason}`;
    }
    return '';
  }

  #of(template: string, kind: FailureKind): Failures | undefined {
    const found = this.#known.get(key(template, kind));
    return found?.version === this.#deps.catalogue.version(template) ? found : undefined;
  }
}

function key(template: string, kind: FailureKind): string {
  return `${template} ${kind}`;
}
