import type { OperatorSession } from '../../domain/operator-session.ts';

/** `id` tells sessions apart and opens none. */
export type ListedSession = OperatorSession & { readonly id: string };

/** Operators who are logged in with a browser; each session ends by itself. All throw store_unavailable. */
export interface OperatorSessions {
  /** `secret`: what the browser keeps; only its digest is stored. Beyond some hundreds the oldest ends. */
  open(
    secret: string,
    session: Pick<OperatorSession, 'who' | 'role' | 'from' | 'vouched'> & { readonly forMs: number },
  ): Promise<ListedSession>;
  /** Undefined for one that has ended, or that never was. */
  find(secret: string): Promise<ListedSession | undefined>;
  /** The newest first. */
  list(): Promise<readonly ListedSession[]>;
  /** False when there was none. */
  end(id: string): Promise<boolean>;
}
