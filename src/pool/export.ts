import { Readable } from 'node:stream';
import { publicOrigin, type PublicAddress } from '../domain/address.ts';
import { NO_NODE } from '../domain/node.ts';
import { TryItNowError, describeError } from '../domain/errors.ts';
import type { Instance } from '../domain/instance.ts';
import type { Log } from '../domain/log.ts';
import type { Catalogue, Export, Template } from '../domain/template.ts';
import type { ExportRoom } from './export-room.ts';
import type { InstanceView } from './interfaces/claim-store.ts';
import type { ContainerRuntime } from './interfaces/container-runtime.ts';
import type { Observer } from './interfaces/observer.ts';
import type { Proxies } from './proxies.ts';

export interface ExportDeps {
  readonly catalogue: Catalogue;
  readonly exportRoom: ExportRoom;
  readonly runtime: Pick<ContainerRuntime, 'output'>;
  /** Where this server reaches the proxy, which leads to instances of every node. */
  readonly proxies: Proxies;
  readonly address: PublicAddress;
  readonly node: { readonly name: string };
  readonly observer: Pick<Observer, 'exported'>;
  readonly log: Log;
  /** How long whoever reads may take nothing (ms); UNREAD_MS without it. */
  readonly unreadMs?: number;
}

/** What a visitor saves. Breaks off with an error where the app does: what was saved until then is not whole. */
export interface Download {
  readonly file: string;
  readonly mediaType: string;
  readonly body: Readable;
}

type Offered = Template & { readonly export: Export };
type Outcome = Parameters<Observer['exported']>[1];

/**
 * So slow that nobody waits for it any more, whatever `timeout` the template has; it makes room for others. A
 * connection to a proxy on the same host takes up to 3 MB at a time, and nothing until most of that is read: those who
 * read 5 kB/s, as a phone at 40 kbit/s does, are not taken for one who reads nothing.
 */
const UNREAD_MS = 600_000;
/** Of an app's own words in an error. */
const QUOTED = 500;

/** Whether this server can give it: a command is run by the engine of the instance's own node alone. */
export function offersExport(
  { catalogue, node }: Pick<ExportDeps, 'catalogue' | 'node'>,
  { instance }: InstanceView,
): boolean {
  const wanted = catalogue.known(instance.template)?.export;
  return wanted?.kind === 'http' || (wanted?.kind === 'exec' && instance.node === node.name);
}

/**
 * What the template offers of an instance, as it comes. Resolves with the first bytes at hand, so that what fails at
 * once is told in words. `clientKey`: of who reads it, undefined for who reads for many. Throws not_assigned,
 * no_export, other_node, export_busy, export_failed, export_too_large.
 */
export async function exportWork(
  deps: ExportDeps,
  { instance }: InstanceView,
  clientKey: string | undefined,
): Promise<Download> {
  const template = offered(deps, instance);
  const leave = deps.exportRoom.enter(instance.id, clientKey);
  const { file, mediaType, timeoutMs } = template.export;
  const stop = new AbortController();
  const reading: { body?: Readable } = {};
  const end = (how: string): void => {
    const reason = failed(template, how);
    stop.abort(reason);
    // A reader that is too slow keeps the app waiting, and is not waited for longer than the app.
    reading.body?.destroy(reason);
  };
  const timer = setTimeout(() => end(`it was not through within ${timeoutMs} ms`), timeoutMs);
  const work = bounded(deps, template, instance, {
    stop,
    end,
    leave: () => {
      clearTimeout(timer);
      leave();
    },
  });
  const first = await work.next();
  if (stop.signal.aborted) {
    await work.return();
    throw stop.signal.reason;
  }
  const body = Readable.from(startingWith(first, work), { objectMode: false });
  reading.body = body;
  return { file, mediaType, body };
}

function offered({ catalogue, node }: ExportDeps, instance: Instance): Offered {
  if (instance.state !== 'assigned')
    throw new TryItNowError('not_assigned', `instance ${instance.id} has ended or is ending`);
  const template = catalogue.known(instance.template);
  if (template?.export === undefined)
    throw new TryItNowError('no_export', `"${instance.template}" has nothing to download: it has no \`export\``);
  if (template.export.kind === 'exec' && instance.node !== node.name)
    throw new TryItNowError(
      'other_node',
      `Instance ${instance.id} is on node ${instance.node}, and this server runs commands on ` +
        `${node.name === NO_NODE ? 'no node' : `${node.name} only`}; ` +
        'ask a server there, or let the template offer it by `export.http`, which works from everywhere',
      { details: { node: instance.node } },
    );
  return { ...template, export: template.export };
}

interface Ends {
  readonly stop: AbortController;
  readonly end: (how: string) => void;
  readonly leave: () => void;
}

/** The bytes, counted; however it ends, it is noted. */
async function* bounded(
  deps: ExportDeps,
  template: Offered,
  instance: Instance,
  { stop, end, leave }: Ends,
): AsyncGenerator<Uint8Array, void> {
  const { name, export: wanted } = template;
  const { unreadMs = UNREAD_MS } = deps;
  let unread: NodeJS.Timeout | undefined;
  const startedAt = performance.now();
  let outcome: Outcome = 'stopped';
  let reason: string | undefined;
  let bytes = 0;
  try {
    for await (const chunk of source(deps, template, instance, stop.signal)) {
      bytes += chunk.length;
      if (bytes > wanted.maxBytes) throw tooLarge(template);
      unread = setTimeout(() => end(`nothing of it was read for ${unreadMs} ms`), unreadMs);
      yield chunk;
      clearTimeout(unread);
    }
    outcome = 'done';
  } catch (error) {
    const failure = stop.signal.aborted ? (stop.signal.reason as Error) : asExportFailure(template, error);
    reason = describeError(failure);
    outcome = isTooLarge(failure) ? 'too_large' : 'failed';
    throw failure;
  } finally {
    clearTimeout(unread);
    if (stop.signal.aborted) [outcome, reason] = ['late', describeError(stop.signal.reason)];
    // What is still at work for it has nobody to read it.
    else if (outcome !== 'done') stop.abort(new Error('nobody reads it any more'));
    leave();
    deps.observer.exported(name, outcome);
    const told = {
      instance: instance.id,
      template: name,
      outcome,
      bytes,
      ms: Math.round(performance.now() - startedAt),
    };
    if (outcome === 'done') deps.log.info(told, 'A visitor took their work home');
    else deps.log.warn({ ...told, reason }, 'A download of what is in an instance did not come to its end');
  }
}

async function* source(
  deps: ExportDeps,
  template: Offered,
  instance: Instance,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  const { export: wanted } = template;
  if (wanted.kind === 'exec') {
    const { stdout, result } = await deps.runtime.output(instance.container, wanted.command, signal);
    yield* stdout;
    const { exitCode, output } = await result();
    if (exitCode !== 0) throw failed(template, `it ended with exit code ${exitCode}${quoted(output)}`);
    return;
  }
  const visitor = publicOrigin(deps.address, instance.label);
  const answer = await deps.proxies.download(wanted.path, visitor, signal);
  if (answer.status < 200 || answer.status > 299) throw failed(template, `it answered with status ${answer.status}`);
  if ((answer.bytes ?? 0) > wanted.maxBytes) throw tooLarge(template);
  yield* answer.body;
}

/** No generator: one that was not begun does not hear that nobody wants it. */
function startingWith(
  first: IteratorResult<Uint8Array, void>,
  rest: AsyncGenerator<Uint8Array, void>,
): AsyncIterableIterator<Uint8Array, void> {
  let given = false;
  return {
    next: () => {
      if (given) return rest.next();
      given = true;
      return Promise.resolve(first);
    },
    return: () => rest.return(),
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

function asExportFailure(template: Offered, error: unknown): Error {
  if (error instanceof TryItNowError && (error.code === 'export_failed' || isTooLarge(error))) return error;
  return failed(template, describeError(error), error);
}

function failed({ name, export: wanted }: Offered, how: string, cause?: unknown): TryItNowError {
  const what = wanted.kind === 'exec' ? `exec ${wanted.command[0] ?? ''}` : `http ${wanted.path}`;
  return new TryItNowError('export_failed', `The export of "${name}" (${what}) failed: ${how}`, { cause });
}

function tooLarge({ name, export: { maxBytes } }: Offered): TryItNowError {
  return new TryItNowError(
    'export_too_large',
    `The export of "${name}" has more than the ${maxBytes} bytes it may have`,
  );
}

function isTooLarge(error: unknown): boolean {
  return error instanceof TryItNowError && error.code === 'export_too_large';
}

function quoted(output: string): string {
  const text = output.trim();
  return text === '' ? '' : `; it said: ${text.length > QUOTED ? `…${text.slice(-QUOTED)}` : text}`;
}
