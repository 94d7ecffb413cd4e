import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ChildServer } from '../../src/launcher/child-server.ts';
import { freePort } from '../../src/launcher/ports.ts';

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
  readonly windows: number;
  readonly notes: readonly Note[];
}

export interface HelloApp extends AsyncDisposable {
  readonly url: string;
  readonly server: ChildServer;
  board(): Promise<BoardState>;
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
  return {
    url,
    server,
    board: async () => (await (await fetch(`${url}/api/board`)).json()) as BoardState,
    [Symbol.asyncDispose]: () => server.stop(),
  };
}
