import { Readable } from 'node:stream';
import type Dockerode from 'dockerode';
import Type from 'typebox';
import Value from 'typebox/value';
import { sleep } from '../../lifecycle/sleep.ts';
import type { ContainerSummary } from '../../pool/interfaces/container-runtime.ts';
import { EventsEnded, readEvents } from '../event-lines.ts';
import { LABEL } from '../labels.ts';
import { containerSummary } from './container-summary.ts';

/** The attributes hold the labels as well. */
const Event = Type.Object({
  Actor: Type.Object({ Attributes: Type.Record(Type.String(), Type.String()) }),
  timeNano: Type.Number(),
});

/** Docker ends with `destroy`, Podman with `remove`; and Podman filters by `died` what it calls `die` itself. */
const ENDS = ['die', 'died', 'destroy', 'remove'];
/**
 * An engine whose streams end sooner than this, several times in a row, is not in order; once is while its log is cut.
 */
const SHORT_STREAM_MS = 1_000;
const SHORT_STREAMS_BORNE = 5;
const PAUSE_MS = 200;
/** Events are written by several processes, so not quite in their order. Told twice does no harm. */
const OVERLAP_MS = 5_000;

/**
 * Tells of each container of this owner that ends or disappears from now on, until the signal is aborted. Throws when
 * the engine is gone. A stream that ends while the engine is there goes on where it stopped: Podman (4.3 at least) ends
 * all of them when its log of events has reached 1 MB and is cut to half.
 */
export async function watchContainers(
  docker: Dockerode,
  owner: { readonly deployment: string; readonly node: string },
  gone: (container: ContainerSummary) => void,
  signal: AbortSignal,
): Promise<void> {
  let sinceMs = Date.now();
  const onEvent = (event: unknown): void => {
    const {
      Actor: { Attributes: attributes },
      timeNano,
    } = Value.Parse(Event, event);
    sinceMs = Math.max(sinceMs, Math.floor(timeNano / 1e6) - OVERLAP_MS);
    // Podman takes one of several labels for enough, so that the engine is asked for one only.
    if (attributes[LABEL.node] === owner.node) gone(containerSummary(attributes['name'] ?? '', attributes, false));
  };
  for (let short = 0; ;) {
    const openedAt = performance.now();
    try {
      await readEvents(() => open(docker, owner.deployment, sinceMs, signal), onEvent, signal);
      return;
    } catch (error) {
      short = performance.now() - openedAt < SHORT_STREAM_MS ? short + 1 : 0;
      if (!(error instanceof EventsEnded) || short > SHORT_STREAMS_BORNE) throw error;
    }
    await sleep(PAUSE_MS, signal);
  }
}

async function open(docker: Dockerode, deployment: string, sinceMs: number, signal: AbortSignal): Promise<Readable> {
  // What happens before the engine has heard of us counts, too.
  const stream = await docker.getEvents({
    since: sinceMs / 1_000,
    filters: { type: ['container'], event: ENDS, label: [`${LABEL.deployment}=${deployment}`] },
    abortSignal: signal,
  });
  if (!(stream instanceof Readable)) throw new Error('the client library gave no stream');
  return stream;
}
