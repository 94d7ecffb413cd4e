import type { PublicOrigin } from '../../domain/address.ts';
import type { FrameRefusal } from '../../domain/frame-refusal.ts';
import type { StatusRange } from '../../domain/readiness.ts';
import type { AppAnswer } from '../../domain/shared-random.ts';
import type { Upstream } from './upstream.ts';

export interface HttpTarget {
  readonly url: string;
  /** The request is sent as a visitor's to this origin would arrive. */
  readonly visitor?: PublicOrigin;
  /** The Host header, whatever the visitor's would be. */
  readonly host?: string | undefined;
  /** Where the app listens inside its container: in a redirect, its host's own names with this port mean the app. */
  readonly innerPort?: number | undefined;
  /**
   * What the first answer's status may be. Without it, redirects within the app are followed, and the last answer has
   * to be below 400.
   */
  readonly statuses?: readonly StatusRange[] | undefined;
  /** Also good, at the end of the redirects. */
  readonly orStatuses?: readonly StatusRange[] | undefined;
}

/** What came of one request. */
export type Sight =
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly path: string;
      readonly host: string;
      /** What was asked, where that led to `path`. */
      readonly from?: string;
    }
  | { readonly kind: 'refused' }
  /** `path`: what was asked last. */
  | { readonly kind: 'silent'; readonly afterMs: number; readonly path?: string }
  /** Redirects without end, the last one at `path`. `toHttps`: to itself by https, which its visitors do not have. */
  | { readonly kind: 'circles'; readonly path: string; readonly toHttps: boolean }
  /** It speaks TLS, which nothing that is sent to an app does. */
  | { readonly kind: 'tls' }
  /** Anything else, in plain words. */
  | { readonly kind: 'broken'; readonly words: string };

export type Reaction = 'reacts' | 'refuses' | 'silent' | 'unreachable' | 'unknown';

export interface Probe {
  /**
   * Asks again and again until the answer is as wanted. Throws not_ready_in_time; the last sight is in its details.
   * `intervalMs` undefined: 50 ms at first, then up to 500 ms.
   */
  untilOk(
    target: HttpTarget & {
      readonly timeoutMs: number;
      readonly requestTimeoutMs?: number;
      readonly intervalMs?: number | undefined;
      /** Told what came of each request so far. */
      readonly onSeen?: ((seen: Sight) => void) | undefined;
    },
    signal: AbortSignal,
  ): Promise<void>;
  /** Asks once. `ok`: the answer is as wanted. */
  look(
    target: HttpTarget & { readonly timeoutMs: number },
    signal: AbortSignal,
  ): Promise<{ readonly ok: boolean; readonly seen: Sight }>;
  /**
   * Asks once as somebody who has never been there, following redirects within the app. All that was answered on the
   * way: none where none came in time.
   */
  visit(target: HttpTarget & { readonly timeoutMs: number }, signal: AbortSignal): Promise<readonly AppAnswer[]>;
  /** In plain words. */
  describe(seen: Sight): string;
  /** Whether anything listens there: `silent` when neither a yes nor a no came in time. */
  listens(upstream: Upstream, timeoutMs: number): Promise<'listens' | 'refuses' | 'silent'>;
  /**
   * Whether what listens there reacts at all, without a request to the app in it. `silent`: it does not within the
   * time, as something that is stopped; `unreachable`: nobody even took or refused the connection, as with a host that
   * is gone; `unknown`: nobody can say, as with a host that is not to be found.
   */
  reacts(upstream: Upstream, timeoutMs: number): Promise<Reaction>;
  /**
   * One request, JSON if there is a body; `location` is empty without one, and the answer's body is cut at 64 KiB.
   * Throws whatever kept it from being answered.
   */
  ask(
    target: {
      readonly url: string;
      readonly visitor?: PublicOrigin;
      readonly body?: object;
      readonly timeoutMs: number;
    },
    signal: AbortSignal,
  ): Promise<{ readonly status: number; readonly location: string; readonly body: string }>;
  /**
   * One request for what is in its answer: every byte, as it comes, no faster than it is read. Throws what kept it from
   * being answered; aborted, the body breaks off. Whoever does not read it to its end has to abort.
   */
  download(
    target: { readonly url: string; readonly visitor: PublicOrigin },
    signal: AbortSignal,
  ): Promise<{
    readonly status: number;
    /** Undefined where the answer does not say. */
    readonly bytes: number | undefined;
    readonly body: AsyncIterable<Uint8Array>;
  }>;
  /**
   * Whether a frame of another site would show the page: what its answers and its scripts give away. `unknown`: it
   * cannot be told, as where the page is not there.
   */
  framing(
    target: { readonly url: string; readonly visitor: PublicOrigin; readonly timeoutMs: number },
    signal: AbortSignal,
  ): Promise<{ readonly kind: 'fits' | 'unknown' } | { readonly kind: 'refuses'; readonly refusal: FrameRefusal }>;
}
