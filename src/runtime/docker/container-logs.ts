import { PassThrough } from 'node:stream';
import { finished } from 'node:stream/promises';
import type Dockerode from 'dockerode';
import { LOG_BYTES } from '../log-bytes.ts';
import { OutputTail, type Demultiplexer } from './output-tail.ts';

/** The last lines of both streams, as the engine has them in order. The engine itself keeps 1 MB of them at most. */
export async function containerLogs(container: Dockerode.Container, tail: number): Promise<string> {
  const multiplexed = await container.logs({ follow: false, stdout: true, stderr: true, tail });
  const kept = new OutputTail(LOG_BYTES);
  const frames = new PassThrough();
  (container.modem as Demultiplexer).demuxStream(frames, kept, kept);
  frames.end(multiplexed);
  await finished(frames.resume());
  return kept.text();
}
