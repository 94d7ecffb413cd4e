import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DATABASE_SERVERS, type DatabaseEngine } from '../../src/domain/database.ts';
import { ChildServer } from '../../src/launcher/child-server.ts';
import { ownNumber } from './outside-network.ts';
import { SOCKET } from './shared-databases.ts';

const run = promisify(execFile);
const ip = async (...args: readonly string[]): Promise<void> => {
  await run('ip', args);
};

const RELAY = `const [url, options] = process.argv.slice(1);
const log = { info() {}, error() {} };
import(url).then(({ startRelay }) => startRelay({ ...JSON.parse(options), log }));`;

/** A host of the fleet with a network of its own, from which relays lead to servers of this one. */
export interface DistantHost extends AsyncDisposable {
  /** This host's address on the way there. */
  readonly serverAddress: string;
  /** Its relay: the socket of one of its processes. */
  relay(engine: DatabaseEngine, port: number, folder: string): Promise<string>;
  /** Nothing comes from it any more, and nothing gets there; nobody is told. */
  cutPower(): Promise<void>;
}

export async function distantHost(): Promise<DistantHost> {
  const { n, mark } = await ownNumber('distant-host');
  const name = `tinfar${n}`;
  const [serverAddress, address] = [`198.51.100.${4 * n + 1}`, `198.51.100.${4 * n + 2}`];
  const relays: ChildServer[] = [];
  const dispose = async (): Promise<void> => {
    for (const relay of relays) await relay.stop();
    await ip('netns', 'del', name).catch(() => undefined);
    await ip('link', 'del', name).catch(() => undefined);
    await mark[Symbol.asyncDispose]();
  };
  try {
    await ip('netns', 'add', name);
    await ip('link', 'add', name, 'type', 'veth', 'peer', 'name', 'up', 'netns', name);
    await ip('address', 'add', `${serverAddress}/30`, 'dev', name);
    await ip('link', 'set', name, 'up');
    await ip('-n', name, 'address', 'add', `${address}/30`, 'dev', 'up');
    await ip('-n', name, 'link', 'set', 'dev', 'up', 'up');
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    serverAddress,
    relay: async (engine, port, folder) => {
      const { title } = DATABASE_SERVERS[engine];
      const socketPath = join(folder, engine, SOCKET[engine]);
      const options = { title, socketPath, server: { host: serverAddress, port } };
      const module = new URL('../../src/database/relay.ts', import.meta.url).href;
      const program = [process.execPath, '--import', 'tsx', '--eval', RELAY, module, JSON.stringify(options)];
      relays.push(
        await ChildServer.start({
          name: `the relay to ${title}`,
          command: 'ip',
          args: ['netns', 'exec', name, ...program],
          isUp: () => access(socketPath).then(() => true),
        }),
      );
      return socketPath;
    },
    cutPower: () => ip('-n', name, 'link', 'set', 'dev', 'up', 'down'),
    [Symbol.asyncDispose]: dispose,
  };
}
