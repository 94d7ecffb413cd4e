import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ChildServer } from '../../src/launcher/child-server.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';

const serverFile = fileURLToPath(new URL('../../examples/hello/server.js', import.meta.url));

interface Note {
  readonly id: string;
  readonly text: string;
  readonly color: string;
  readonly x: number;
  readonly y: number;
}

interface BoardState {
  readonly name: string;
  readonly container: string;
  readonly startedAt: string;
  readonly windows: number;
  readonly notes: readonly Note[];
}

export interface HelloApp extends AsyncDisposable {
  readonly url: string;
  readonly server: ChildServer;
  board(): Promise<BoardState>;
  identity(): Promise<Record<string, string>>;
  /** What `activate` sends unless told otherwise; the seed is the caller's. */
  readonly handedOver: { readonly instance_id: string; readonly hostname: string; readonly url: string };
  activate(fields: object, headers?: Readonly<Record<string, string>>): Promise<Response>;
}

/** A folder for boards, gone with everything in it. */
export async function boardFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'tin-hello-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

/** The example app as a process of its own, with a small library of ideas so that it starts at once. */
export async function startHelloApp(options: { readonly dataDir: string; readonly ideas?: number }): Promise<HelloApp> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const server = await ChildServer.start({
    name: 'the hello app',
    command: 'node',
    args: [serverFile],
    env: { PORT: String(port), DATA_DIR: options.dataDir, IDEAS: String(options.ideas ?? 2000) },
    isUp: async () => (await fetch(`${url}/healthz`)).ok,
  });
  const handedOver = {
    instance_id: 'abcdefghijklmnopqrstuvwxyz',
    hostname: 'demo.example',
    url: 'https://demo.example/',
  };
  const getJson = async (path: string): Promise<unknown> => (await fetch(`${url}${path}`)).json();
  return {
    url,
    server,
    handedOver,
    identity: async () => (await getJson('/.try-it-now/identity')) as Record<string, string>,
    activate: (fields, headers = {}) =>
      fetch(`${url}/.try-it-now/activate`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', ...headers },
        body: JSON.stringify({ ...handedOver, ...fields }),
      }),
    board: async () => (await getJson('/api/board')) as BoardState,
    [Symbol.asyncDispose]: () => server.stop(),
  };
}
