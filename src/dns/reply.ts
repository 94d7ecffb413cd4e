import type { Answer, DecodedPacket } from 'dns-packet';

/** RFC 1035 section 4.1.1. */
export const RCODE = { ok: 0, formatError: 1, serverFailure: 2, nameError: 3, notImplemented: 4, refused: 5 } as const;

export type Question = NonNullable<DecodedPacket['questions']>[number];

export interface Reply<Outcome extends string> {
  readonly rcode: number;
  readonly answers: readonly Answer[];
  /** For who counts. */
  readonly outcome: Outcome;
}
