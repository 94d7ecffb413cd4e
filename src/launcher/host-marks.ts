import { createServer } from 'node:net';
import { sleep } from '../lifecycle/sleep.ts';

const LOOK_AGAIN_MS = 50;

/**
 * Takes a name that only one holder on this host has at a time, until it is disposed of or this process ends, however
 * it ends: the kernel takes an abstract socket back by itself. Undefined when somebody has it.
 */
export async function takeMark(name: string): Promise<AsyncDisposable | undefined> {
  const mark = createServer().unref();
  return new Promise((resolve, reject) => {
    mark.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    mark.listen({ path: `\0try-it-now-${name}`, exclusive: true }, () =>
      resolve({
        [Symbol.asyncDispose]: () =>
          new Promise((closed) => {
            mark.close(() => closed());
          }),
      }),
    );
  });
}

/** Does `work` while it has the mark, once whoever has it is done. */
export async function withMark<T>(name: string, work: () => Promise<T>): Promise<T> {
  for (;;) {
    const mark = await takeMark(name);
    if (mark === undefined) {
      await sleep(LOOK_AGAIN_MS);
      continue;
    }
    try {
      return await work();
    } finally {
      await mark[Symbol.asyncDispose]();
    }
  }
}
