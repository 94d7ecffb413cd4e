import type { ErrorCode } from './errors.ts';
import type { Template } from './template.ts';

/** What the app was last seen to do when it was asked. */
export type LastSeen =
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
  /** Redirects without end; `toHttps`: to itself by https, which its visitors do not have. */
  | { readonly kind: 'circles'; readonly path: string; readonly toHttps: boolean }
  /** It speaks TLS, which nothing that is sent to an app does. */
  | { readonly kind: 'tls' }
  | { readonly kind: 'broken'; readonly words: string };

/** What only an app does that is reached. */
export function isAnswer(seen: LastSeen | undefined): boolean {
  return seen?.kind === 'answered' || seen?.kind === 'circles' || seen?.kind === 'tls';
}

interface ListeningSocket {
  readonly address: string;
  readonly port: number;
}

/** What is known of a container whose app did not come up. */
export interface FailureFacts {
  readonly template: Pick<Template, 'image' | 'port' | 'limits' | 'readiness' | 'open' | 'warmup'>;
  /** What failed, in the words of the step; `code` is its own. */
  readonly step: {
    readonly code: ErrorCode;
    readonly message: string;
    /** The service beside the app that did not come up. */
    readonly service?: string | undefined;
  };
  /** Undefined where the engine could not tell. */
  readonly ended: { readonly exitCode: number; readonly oomKilled: boolean } | undefined;
  /** Processes of it that the kernel killed for memory so far. */
  readonly oomKills: number;
  /** Undefined where they could not be read. */
  readonly listening: readonly ListeningSocket[] | undefined;
  readonly seen: LastSeen | undefined;
  /** What the app wrote, the end of it. */
  readonly output: string;
}

export function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1' || address.startsWith('::ffff:127.');
}
