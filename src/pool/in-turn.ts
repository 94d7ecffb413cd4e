import { describeError } from '../domain/errors.ts';
import { eitherOf } from '../lifecycle/either-of.ts';
import type { Turn } from './interfaces/turn.ts';

export interface TurnKeeping {
  /** How long a turn lasts that nobody renews, and how often it is renewed. */
  readonly turnMs: number;
  readonly againMs: number;
  /** The work was left in its midst. */
  readonly onLost: (reason: string) => void;
}

/**
 * Does the work if it is this process's turn, and keeps the turn meanwhile. Its signal is aborted once another process
 * has had the turn, or nobody knows any more whose it is; what it throws then counts as left. Throws what else it
 * throws, and store_unavailable.
 */
export async function inTurn(
  turn: Turn,
  { turnMs, againMs, onLost }: TurnKeeping,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  if (!(await turn.take(turnMs))) return;
  const lost = new AbortController();
  const keepTurn = setInterval(() => {
    turn.keep(turnMs).then(
      (kept) => (kept ? undefined : lost.abort(new Error('another process has the turn now'))),
      () => (turn.held ? undefined : lost.abort(new Error('nobody knows whose turn it is'))),
    );
  }, againMs);
  try {
    using either = eitherOf(signal, lost.signal);
    await work(either.signal);
  } catch (error) {
    if (!lost.signal.aborted) throw error;
    onLost(describeError(lost.signal.reason));
  } finally {
    clearInterval(keepTurn);
    await turn.end();
  }
}
