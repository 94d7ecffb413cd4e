import { readEnvironment, readTextFile, type Environment } from '../../config/environment.ts';
import { reachableHost } from '../../config/reachable-host.ts';
import { ERROR_CATALOGUE, TryItNowError, type ErrorCode } from '../../domain/errors.ts';
import { sleep } from '../../lifecycle/sleep.ts';
import { fittedTable, printJson } from '../output.ts';
import { StepLog, type Step } from './step-log.ts';
import { Refused, Visitor, type Taken } from './visitor.ts';

export interface SmokeOptions {
  readonly template?: string;
  readonly url?: string;
  readonly json?: true;
}

const EXIT_FAILED = 1;
const EXIT_INTERRUPTED = 130;
const MINUTES = 1;
/** The proxy remembers an address for a second; discovery knows at once. */
const GONE_WITHIN_MS = 10_000;
const GONE_POLL_MS = 50;

const REMEDIES: Readonly<Record<string, string>> = {
  acquire: '`try-it-now doctor` tells what the server lacks.',
  open:
    'See what `try-it-now doctor` says of Caddy and discovery, and whether the name in the address leads to ' +
    'this proxy (BASE_DOMAIN and its DNS).',
  extend: "See the server's log (`journalctl -u try-it-now -e`).",
  status:
    "Anything in front of the API must let Server-Sent Events through unbuffered; then see the server's log " +
    '(`journalctl -u try-it-now -e`).',
  release: "See the server's log (`journalctl -u try-it-now -e`); the instance ends with its time in any case.",
  'name gone': 'See what `try-it-now doctor` says of discovery: it must follow the same Valkey as the server.',
};

/** One visit from the click to the end. Gives the instance back whatever happens. Throws invalid_config. */
export async function smoke(env: Environment, options: SmokeOptions): Promise<void> {
  const { api, key } = target(env, options.url);
  const visitor = new Visitor(api, key);
  const stopped = new AbortController();
  const stop = (): void => stopped.abort();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, stop);
  const log = new StepLog(stopped.signal);
  try {
    const failure = await visit(visitor, options.template, log, stopped.signal);
    report(api, log.steps, stopped.signal.aborted ? undefined : failure, options);
    if (stopped.signal.aborted) process.exitCode = EXIT_INTERRUPTED;
    else if (failure !== undefined) process.exitCode = EXIT_FAILED;
  } finally {
    await visitor.close();
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, stop);
  }
}

function target(env: Environment, url: string | undefined): { readonly api: string; readonly key: string | undefined } {
  const { values, problems } = readEnvironment(env, readTextFile);
  const ours = problems.filter((problem) => /^(SERVER_|API_KEY)/.test(problem));
  if (ours.length > 0) throw new TryItNowError('invalid_config', ours.join('\n'));
  if (url !== undefined && !/^https?:\/\//.test(url))
    throw new TryItNowError('invalid_request', `--url ${url} is no address; give one such as http://127.0.0.1:8080`);
  return { api: url ?? `http://${reachableHost(values.SERVER_HOST)}:${values.SERVER_PORT}`, key: values.API_KEY?.[0] };
}

/** What went wrong, and at which step; undefined when nothing did. */
type Failure = { readonly step: string; readonly error: unknown } | undefined;

async function visit(
  visitor: Visitor,
  template: string | undefined,
  log: StepLog,
  signal: AbortSignal,
): Promise<Failure> {
  let taken: Taken | undefined;
  const release = async (instance: Taken): Promise<void> => {
    taken = undefined;
    // Also after Ctrl-C, so without its signal.
    await visitor.release(instance.id);
  };
  try {
    const instance = await log.during(
      'acquire',
      () => visitor.acquire(template),
      ({ url, template: app }) => `${app} at ${url}`,
    );
    taken = instance;
    await log.during(
      'open',
      () => openApp(visitor, instance, signal),
      (status) => `the app answers ${status}`,
    );
    await log.during(
      'extend',
      () => extend(visitor, instance, signal),
      (seen) => seen,
    );
    await log.during(
      'status',
      () => visitor.firstEvent(instance.id, signal),
      (event) => `first event: ${event}`,
    );
    await log.during(
      'release',
      () => release(instance),
      () => 'given back',
    );
    await log.during(
      'name gone',
      () => untilGone(visitor, instance, signal),
      (status) => `its address answers ${status}`,
    );
    return undefined;
  } catch (error) {
    const failed = log.current;
    if (taken !== undefined)
      await log
        .during(
          'release',
          () => release(taken as Taken),
          () => 'given back',
        )
        .catch(() => undefined);
    return { step: failed, error };
  }
}

async function openApp(visitor: Visitor, { url }: Taken, signal: AbortSignal): Promise<number> {
  const status = await visitor.open(url, signal);
  if (status >= 400) throw new Error(`${url} answers ${status}`);
  return status;
}

/** A template may give all its time at once; then a refusal is what is right. */
async function extend(visitor: Visitor, { id }: Taken, signal: AbortSignal): Promise<string> {
  try {
    return `${await visitor.extend(id, MINUTES, signal)} s left`;
  } catch (error) {
    if (error instanceof Refused && error.code === 'extension_limit')
      return 'refused, as the template has no longer stay';
    throw error;
  }
}

async function untilGone(visitor: Visitor, { url }: Taken, signal: AbortSignal): Promise<number> {
  const deadline = performance.now() + GONE_WITHIN_MS;
  for (;;) {
    const status = await visitor.open(url, signal);
    if (status >= 400) return status;
    if (performance.now() > deadline)
      throw new Error(`${url} still answers ${status}, ${GONE_WITHIN_MS / 1_000} s after it was given back`);
    await sleep(GONE_POLL_MS, signal);
  }
}

function remedyOf({ step, error }: NonNullable<Failure>): string {
  const known =
    error instanceof Refused && Object.hasOwn(ERROR_CATALOGUE, error.code)
      ? `${ERROR_CATALOGUE[error.code as ErrorCode].remedy} `
      : '';
  return `${known}${REMEDIES[step] ?? ''}`;
}

function report(api: string, steps: readonly Step[], failure: Failure, { json }: SmokeOptions): void {
  if (json === true) {
    printJson({
      url: api,
      passed: failure === undefined && steps.every(({ outcome }) => outcome === 'done'),
      steps,
      failed_step: failure?.step ?? null,
      remedy: failure === undefined ? null : remedyOf(failure),
    });
    return;
  }
  console.log(
    `${fittedTable(
      ['STEP', 'OUTCOME', 'TIME', 'SEEN'],
      [9, 7, 10],
      steps.map(({ step, outcome, ms, seen }) => [step, outcome, `${ms} ms`, seen]),
    )}\n`,
  );
  if (failure !== undefined) console.error(`It fails at "${failure.step}". ${remedyOf(failure)}`);
  else if (steps.every(({ outcome }) => outcome === 'done')) console.log(`All is well at ${api}.`);
  else
    console.error(
      steps.some(({ step, outcome }) => step === 'release' && outcome === 'failed')
        ? 'Stopped; the instance could not be given back, and ends with its time.'
        : 'Stopped; the instance was given back.',
    );
}
