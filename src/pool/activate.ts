import type { PublicOrigin } from '../domain/address.ts';
import { TryItNowError, describeError } from '../domain/errors.ts';
import { isActivationLanding } from '../domain/landing.ts';
import type { InstanceValues } from '../domain/placeholders.ts';
import type { InstanceCall, Template } from '../domain/template.ts';
import type { ContainerRuntime } from './interfaces/container-runtime.ts';
import type { DatabaseCredentials } from './interfaces/databases.ts';
import type { Probe } from './interfaces/probe.ts';
import type { Upstream } from './interfaces/upstream.ts';

/** What makes a container an instance of somebody's: everything that a clone does not have from its checkpoint. */
export interface Identity {
  readonly instanceId: string;
  readonly hostname: string;
  readonly url: string;
  /** 256 fresh random bits in hexadecimal: what an app derives its secrets from. */
  readonly seed: string;
  readonly database: DatabaseCredentials | undefined;
}

/** Where a container is reached from here. */
export interface Reach {
  readonly container: string;
  /** `http://address:port` of the app itself. */
  readonly origin: string;
  readonly upstream: Upstream;
  /** Where its visitor will reach it: what every request to it bears. */
  readonly visitor: PublicOrigin;
}

export interface CallDeps {
  readonly runtime: ContainerRuntime;
  readonly probe: Probe;
}

const IDENTITY_TIMEOUT_MS = 10_000;
const CHECK_TIMEOUT_MS = 30_000;
/** Of an app's own words in an error: enough to see what it is about. */
const QUOTED = 500;

/**
 * Runs the template's activation hook, if it has one. Returns the path that the hook's answer gives for the visitor's
 * first step, a secret. Throws activation_failed with what the hook said.
 */
export async function activate(
  deps: CallDeps,
  template: Template,
  reach: Reach,
  identity: Identity,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { activation } = template;
  if (activation === undefined) return undefined;
  const said = await call(
    deps,
    activation,
    reach,
    { env: instanceValues(identity), body: payload(identity), timeoutMs: activation.timeoutMs },
    signal,
  );
  const hook = `The activation hook of template ${template.name} (${describeCall(activation)})`;
  if (!said.ok) {
    const words = quoted(withoutLanding(said.output));
    throw new TryItNowError('activation_failed', `${hook} failed in ${reach.container}: ${said.how}${words}`);
  }
  const landing = landingIn(said.output, activation.kind);
  if (landing === undefined || isActivationLanding(landing)) return landing;
  throw new TryItNowError(
    'activation_failed',
    `${hook} answered in ${reach.container} with an "open" that is no path within the app; it must begin with one / ` +
      'and have no host, backslash, fragment, or control character in it, such as /login?token=…',
  );
}

/** What the template's identity probe answers. Throws activation_failed when it does not answer. */
export async function askIdentity(
  deps: CallDeps,
  template: Template,
  probe: InstanceCall,
  reach: Reach,
  signal: AbortSignal,
): Promise<string> {
  const said = await call(deps, probe, reach, { env: {}, body: undefined, timeoutMs: IDENTITY_TIMEOUT_MS }, signal);
  if (said.ok) return said.output;
  throw new TryItNowError(
    'activation_failed',
    `The identity probe of template ${template.name} (${describeCall(probe)}) failed in ${reach.container}: ` +
      `${said.how}${quoted(said.output)}`,
  );
}

/**
 * Has a restored clone pass the template's `checkpoint.check`, if it has one. Throws checkpoint_not_verified with what
 * the clone said.
 */
export async function runCheck(
  deps: CallDeps,
  { name, checkpoint: { check } }: Template,
  checkpoint: string,
  reach: Reach,
  signal: AbortSignal,
): Promise<void> {
  if (check === undefined) return;
  const said = await call(deps, check, reach, { env: {}, body: undefined, timeoutMs: CHECK_TIMEOUT_MS }, signal);
  if (said.ok) return;
  throw new TryItNowError(
    'checkpoint_not_verified',
    `A clone of checkpoint ${checkpoint} failed checkpoint.check of template ${name} (${describeCall(check)}): ` +
      `${said.how}${quoted(said.output)}`,
  );
}

interface Call {
  readonly env: Readonly<Record<string, string>>;
  readonly body: object | undefined;
  readonly timeoutMs: number;
}

async function call(
  { runtime, probe }: CallDeps,
  what: InstanceCall,
  reach: Reach,
  { env, body, timeoutMs }: Call,
  signal: AbortSignal,
): Promise<{ readonly ok: boolean; readonly how: string; readonly output: string }> {
  try {
    if (what.kind === 'exec') {
      const { exitCode, output } = await runtime.exec(
        reach.container,
        { command: what.command, env, timeoutMs },
        signal,
      );
      return { ok: exitCode === 0, how: `it ended with exit code ${exitCode}`, output };
    }
    const answer = await probe.ask(
      {
        url: `${reach.origin}${what.path}`,
        visitor: reach.visitor,
        timeoutMs,
        ...(body === undefined ? {} : { body }),
      },
      signal,
    );
    return {
      ok: answer.status >= 200 && answer.status < 300,
      how: `it answered with status ${answer.status}`,
      output: answer.body,
    };
  } catch (error) {
    if (signal.aborted) throw error;
    return { ok: false, how: describeError(error), output: '' };
  }
}

/** Handed over in the environment of the processes that need them: never in an argument list. */
export function instanceValues({ instanceId, hostname, url, seed, database }: Identity): InstanceValues {
  return {
    TRY_IT_NOW_INSTANCE_ID: instanceId,
    TRY_IT_NOW_HOSTNAME: hostname,
    TRY_IT_NOW_URL: url,
    TRY_IT_NOW_SEED: seed,
    ...(database === undefined
      ? {}
      : {
          TRY_IT_NOW_DATABASE_SOCKET: database.socket,
          TRY_IT_NOW_DATABASE_NAME: database.name,
          TRY_IT_NOW_DATABASE_USER: database.user,
          TRY_IT_NOW_DATABASE_PASSWORD: database.password,
        }),
  };
}

function payload({ instanceId, hostname, url, seed, database }: Identity): object {
  return { instance_id: instanceId, hostname, url, seed, ...(database === undefined ? {} : { database }) };
}

/** The answer itself, or the last line that a command wrote, where it is an object with an `open`. */
function landingIn(output: string, kind: InstanceCall['kind']): string | undefined {
  const text = kind === 'http' ? output : (output.trimEnd().split('\n').at(-1) ?? '');
  try {
    const answer: unknown = JSON.parse(text);
    if (typeof answer !== 'object' || answer === null || !Object.hasOwn(answer, 'open')) return undefined;
    const { open } = answer as { readonly open: unknown };
    return typeof open === 'string' ? open : '';
  } catch {
    return undefined;
  }
}

function withoutLanding(output: string): string {
  return output.replace(/("open"\s*:\s*)"(?:[^"\\]|\\.)*("|$)/g, '$1"…"');
}

function describeCall(what: InstanceCall): string {
  return what.kind === 'exec' ? `exec ${what.command[0] ?? ''}` : `http ${what.path}`;
}

function quoted(output: string): string {
  const text = output.trim();
  return text === '' ? '' : `; it said: ${text.length > QUOTED ? `…${text.slice(-QUOTED)}` : text}`;
}
