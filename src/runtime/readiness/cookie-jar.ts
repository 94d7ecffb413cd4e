/** What an app sets on its way through redirects: some send everybody on for ever who does not bring it back. */
export class CookieJar {
  readonly #values = new Map<string, string>();

  keep(setCookie: string | string[] | undefined): void {
    for (const line of [setCookie ?? []].flat()) {
      const [, name, value] = /^\s*([^=;\s]+)=([^;]*)/.exec(line) ?? [];
      if (name !== undefined && value !== undefined) this.#values.set(name, value.trim());
    }
  }

  /** Empty without cookies. */
  header(): { readonly cookie?: string } {
    if (this.#values.size === 0) return {};
    return { cookie: [...this.#values].map(([name, value]) => `${name}=${value}`).join('; ') };
  }
}
