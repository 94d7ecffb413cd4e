import { expect } from 'vitest';

/** Somebody with a browser that runs no scripts, logged in to the dashboard at `base`. */
export class DashboardLogin {
  readonly base: string;
  readonly cookie: string;
  #formToken: string | undefined;

  /** `cookie`: of somebody who is logged in. */
  constructor(base: string, cookie: string) {
    this.base = base;
    this.cookie = cookie;
  }

  static async withKey(base: string, key: string): Promise<DashboardLogin> {
    const answer = await send(base, '/login', { key, next: '/' });
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/']);
    return new DashboardLogin(base, answer.headers.getSetCookie().at(-1)?.split(';')[0] ?? '');
  }

  get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    return fetch(`${this.base}${path}`, {
      redirect: 'manual',
      headers: { accept: 'text/html', cookie: this.cookie, ...headers },
    });
  }

  async page(path: string): Promise<string> {
    const answer = await this.get(path);
    const text = await answer.text();
    expect([path, answer.status, text.slice(0, 15)]).toEqual([path, 200, '<!doctype html>']);
    return text;
  }

  /** What forms of this login carry. */
  async formToken(): Promise<string> {
    this.#formToken ??= /name="token" value="([^"]+)"/.exec(await this.page('/audit?limit=1'))?.[1];
    return this.#formToken ?? '';
  }

  async act(name: string, fields: Readonly<Record<string, string>> = {}): Promise<Response> {
    return send(this.base, `/act/${name}`, { token: await this.formToken(), sure: 'yes', ...fields }, this.cookie);
  }

  logOut(token: string): Promise<Response> {
    return send(this.base, '/logout', { token }, this.cookie);
  }
}

/** A form, as a page of the dashboard sends it. */
export function send(
  base: string,
  path: string,
  fields: Readonly<Record<string, string>>,
  cookie = '',
  headers: Readonly<Record<string, string>> = { origin: base },
): Promise<Response> {
  return fetch(`${base}${path}`, {
    method: 'POST',
    redirect: 'manual',
    headers: { accept: 'text/html', cookie, ...headers },
    body: new URLSearchParams(fields),
  });
}
