import type { Stack } from './stack.ts';

/** Keys as long as keys must be. */
export const OPERATOR_KEY = 'an-operators-own-key';
export const VISITOR_KEY = 'a-key-that-visitors-have';

export interface AdminAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Undefined for what is no JSON. */
  readonly json: Readonly<Record<string, unknown>> | undefined;
}

/** An operator with a key, or with none, at a server's admin API. */
export async function askAdmin(
  port: number,
  method: string,
  path: string,
  { key = OPERATOR_KEY, body }: { readonly key?: string | null; readonly body?: unknown } = {},
): Promise<AdminAnswer> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
    method,
    headers: {
      ...(key === null ? {} : { 'x-api-key': key }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  const isJson = answer.headers.get('content-type')?.includes('json') === true;
  return {
    status: answer.status,
    headers: answer.headers,
    text,
    json: isJson ? (JSON.parse(text) as Readonly<Record<string, unknown>>) : undefined,
  };
}

export type Json = Readonly<Record<string, unknown>>;

/** What an operator of a stack asks its admin API, in the words of the tests. */
export function operatorOf(stack: Stack) {
  const ask = (method: string, path: string, body?: unknown): Promise<AdminAnswer> =>
    askAdmin(stack.config.admin.port, method, `/admin/v1${path}`, body === undefined ? {} : { body });
  const list = async (path: string, name: string): Promise<readonly Json[]> =>
    ((await ask('GET', path)).json?.[name] ?? []) as readonly Json[];
  return {
    ask,
    list,
    pool: async (name = 'tiny'): Promise<Json> =>
      (await list('/pools', 'pools')).find((pool) => pool['template'] === name) ?? {},
    acquire: () => fetch(`${stack.api}/api/v1/demo/acquire`, { method: 'POST' }),
  };
}
