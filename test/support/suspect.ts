import type { Suspect } from '../../src/domain/suspect.ts';

/** Somebody who took 12 of 20. */
export const SUSPECT: Suspect = {
  v: 1,
  kind: 'address',
  who: '203.0.113.7',
  why: 'share',
  network: '203.0.113.7/32',
  taken: 12,
  takenByAll: 20,
  ended: 8,
  unopened: 8,
  refused: 3,
  sinceMs: 0,
  lastMs: 0,
};
