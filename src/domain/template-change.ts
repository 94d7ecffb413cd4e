/** What would let an app come up that did not: a change of its template that can be tried without a person. */
export type TemplateChange =
  | { readonly kind: 'capabilities'; readonly add: readonly string[] }
  | { readonly kind: 'port'; readonly port: number }
  /** On every address, not on the loopback one alone: by what, has to be tried. */
  | { readonly kind: 'listen' }
  /** As much again. */
  | { readonly kind: 'more_memory' | 'more_pids' }
  /** This answer counts as ready, too. */
  | { readonly kind: 'ready_status'; readonly status: number };
