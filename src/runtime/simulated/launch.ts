import { fileURLToPath } from 'node:url';
import { ChildServer } from '../../launcher/child-server.ts';
import { engineAnswers } from '../../launcher/engine-socket.ts';

export interface LaunchedSimulatedEngine extends AsyncDisposable {
  readonly socketPath: string;
  readonly server: ChildServer;
}

/** The built program, from src/ and dist/ alike. */
const MAIN = fileURLToPath(new URL('../../../dist/main.js', import.meta.url));

/** Simulated containers in a process of their own, which end with it; servers find it by SIMULATED_SOCKET. */
export async function launchSimulatedEngine(options: {
  readonly socketPath: string;
}): Promise<LaunchedSimulatedEngine> {
  const { socketPath } = options;
  const server = await ChildServer.start({
    name: 'the simulated engine',
    command: process.execPath,
    args: [MAIN, 'simulated-engine'],
    env: { SIMULATED_SOCKET: socketPath, LOG_LEVEL: 'info' },
    saysUp: 'The simulated engine answers',
    isUp: () => engineAnswers(socketPath),
  });
  return { socketPath, server, [Symbol.asyncDispose]: () => server.stop() };
}
