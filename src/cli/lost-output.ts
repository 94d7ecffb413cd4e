import { describeError } from '../domain/errors.ts';

/**
 * What a command writes may find no place. A reader that has seen enough, such as `head`, is no failure: the rest is
 * said to nobody, and the command goes on to what it has to tidy up. Any other loss is one, unless somebody else
 * listens, who has reasons to go on.
 */
export function outliveReaders(streams: readonly NodeJS.WriteStream[]): void {
  for (const stream of streams)
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE' || stream.listenerCount('error') > 1) return;
      process.exitCode = 1;
      if (stream !== process.stderr) console.error(`The output cannot be written: ${describeError(error)}`);
    });
}
