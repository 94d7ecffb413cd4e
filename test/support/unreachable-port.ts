import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { suspend } from './suspend.ts';

/** Accepts nothing while it stands still: the kernel holds what fits into its queue, and drops what comes then. */
const LISTENER = `require('node:net').createServer().listen({ host: '127.0.0.1', port: 0, backlog: 1 }, function () {
  console.log(this.address().port);
});`;
/** The queue of one, and the one that the kernel holds besides. */
const HELD = 2;

/** A port at which a connection is neither taken nor refused, as at a host that is gone. */
export async function unreachablePort(): Promise<{ readonly port: number } & AsyncDisposable> {
  const child = spawn(process.execPath, ['-e', LISTENER], { stdio: ['ignore', 'pipe', 'inherit'] });
  const sockets: Socket[] = [];
  const port = Number(String((await once(child.stdout, 'data'))[0]));
  await suspend(child);
  for (let held = 0; held < HELD; held += 1) {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    sockets.push(socket);
    await once(socket, 'connect');
  }
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}
