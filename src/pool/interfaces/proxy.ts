export interface Proxy {
  /** Which one of a fleet's it is; the same after a restart of ours, where its host keeps its name. */
  readonly name: string;
  /**
   * Looks only. `other_pages`: it does with each request what it should, and its own pages show something else. Throws
   * proxy_unavailable.
   */
  check(): Promise<'present' | 'missing' | 'different' | 'other_pages'>;
  /**
   * Puts our server into the proxy's configuration if it is not there as it should be; other pages alone wait until
   * no request to an instance is under way. Throws proxy_unavailable.
   */
  ensure(): Promise<'unchanged' | 'written'>;
  /**
   * The instances that requests or WebSockets are open to right now, as `<node>:<port>`. Throws proxy_unavailable.
   */
  connected(): Promise<ReadonlySet<string>>;
}
