const HTML = { accept: 'text/html' };

/** A browser's cookie jar, as far as one site needs it; none of ours comes with what another site's page posts. */
export class PageVisitor {
  readonly cookies = new Map<string, string>();
  readonly setCookies: string[] = [];
  readonly #base: string;

  constructor(base: string) {
    this.#base = base;
  }

  async send(
    method: string,
    path: string,
    init: { readonly headers?: Record<string, string>; readonly form?: Record<string, string> } = {},
  ): Promise<Response> {
    const kept = method !== 'GET' && init.headers?.['sec-fetch-site'] === 'cross-site' ? [] : [...this.cookies];
    const cookie = kept.map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await fetch(this.#base + path, {
      method,
      redirect: 'manual',
      headers: { ...HTML, ...(cookie === '' ? {} : { cookie }), ...init.headers },
      ...(init.form === undefined ? {} : { body: new URLSearchParams(init.form) }),
    });
    for (const line of answer.headers.getSetCookie()) {
      this.setCookies.push(line);
      const [pair = ''] = line.split(';');
      const [name = '', value = ''] = pair.split('=');
      if (value === '') this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return answer;
  }
}

/** Where a page that goes on by itself leads. */
export async function handedOverTo(answer: Response): Promise<string | undefined> {
  return /<meta http-equiv="refresh" content="0; url=([^"]*)">/.exec(await answer.text())?.[1];
}
