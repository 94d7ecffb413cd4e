export interface Proxy {
  /** Which one of a fleet's it is; the same after a restart of ours, where its host keeps its name. */
  readonly name: string;
  /** Looks only. Throws proxy_unavailable. */
  check(): Promise<'present' | 'missing' | 'different'>;
  /** Puts our server into the proxy's configuration if it is not there as it should be. Throws proxy_unavailable. */
  ensure(): Promise<'unchanged' | 'written'>;
  /**
   * The instances that requests or WebSockets are open to right now, as `<node>:<port>`. Throws proxy_unavailable.
   */
  connected(): Promise<ReadonlySet<string>>;
}
