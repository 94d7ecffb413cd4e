/** What one log-in is told from others by; each is drawn for it, and only the browser that began it has them. */
export interface LoginAttempt {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
}

/** Somebody whom the provider vouches for. */
export interface Identity {
  /** As the audit log names them. */
  readonly who: string;
  /** What of them roles may be granted to. */
  readonly values: readonly string[];
}

/** Where operators log in, apart from our keys. Its methods throw login_provider_unavailable. */
export interface IdentityProvider {
  readonly issuer: string;
  /** As people call it. */
  readonly name: string;
  /** Where a browser goes to log in. */
  begin(attempt: LoginAttempt): Promise<URL>;
  /** Who comes back with this query. Throws login_refused too. */
  finish(attempt: LoginAttempt, query: URLSearchParams): Promise<Identity>;
  /** Where a browser ends its log-in there as well; undefined where it cannot. */
  logoutUrl(): Promise<URL | undefined>;
}
