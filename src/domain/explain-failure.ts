import type { ErrorCode } from './errors.ts';
import { answersOtherwise, runsInCircles, tooSlow, wantsTls, type Reached } from './explain-answer.ts';
import { isAnswer, isLoopback, type FailureFacts } from './failure-facts.ts';
import { hintIn, type Hint } from './failure-hints.ts';

export interface Explanation {
  readonly code: ErrorCode;
  readonly reason: string;
  readonly remedy: string;
}

/** From 128 on, an exit code tells of a signal: https://tldp.org/LDP/abs/html/exitcodes.html */
const SIGNALS: Readonly<Record<number, string>> = {
  129: 'SIGHUP',
  130: 'SIGINT',
  131: 'SIGQUIT',
  132: 'SIGILL',
  134: 'SIGABRT',
  135: 'SIGBUS',
  136: 'SIGFPE',
  137: 'SIGKILL',
  139: 'SIGSEGV',
  141: 'SIGPIPE',
  143: 'SIGTERM',
  159: 'SIGSYS',
};
const SIGKILL_EXIT = 137;

export function signalOf(exitCode: number): string | undefined {
  return SIGNALS[exitCode];
}

/** Names what happened, and the key or the change that remedies it, as far as the facts tell. */
export function explainFailure(facts: FailureFacts): Explanation {
  const hint = hintIn(`${facts.step.message}\n${facts.output}`);
  const found = outOfMemory(facts) ?? exited(facts, hint) ?? notStarted(facts, hint) ?? activation(facts, hint);
  if (found !== undefined) return found;
  const reached =
    listensElsewhere(facts) ??
    answersOtherwise(facts) ??
    runsInCircles(facts) ??
    wantsTls(facts) ??
    tooSlow(facts) ??
    silent(facts);
  const { code } = facts.step;
  if (reached !== undefined) return { code, ...reached };
  return { code, reason: facts.step.message, remedy: hint?.remedy ?? GENERAL };
}

/**
 * Why an app that runs is not ready so far, where that shows already: it may still become so. Undefined while it only
 * seems to start.
 */
export function explainUnready(facts: Omit<FailureFacts, 'step' | 'ended' | 'output'>): Explanation | undefined {
  const running = { ...facts, step: { code: 'not_ready_in_time', message: '' }, ended: undefined, output: '' } as const;
  const killed = outOfMemory(running);
  if (killed !== undefined) return killed;
  // What listens on loopback elsewhere is mostly a part of it that came up first.
  const { listening = [], template } = facts;
  const listens = listening.some(({ address, port }) => port === template.port || !isLoopback(address));
  const reached =
    (listens ? listensElsewhere(running) : undefined) ??
    answersOtherwise(running) ??
    runsInCircles(running) ??
    wantsTls(running) ??
    tooSlow(running);
  return reached === undefined ? undefined : { code: running.step.code, ...reached };
}

const GENERAL = 'See the end of its output for what it says itself';

function outOfMemory({ template, ended, oomKills, output }: FailureFacts): Explanation | undefined {
  // Not the options of a JVM, which it may print: -XX:+ExitOnOutOfMemoryError.
  const told = /\bout of memory\b|cannot allocate memory|reached heap limit|\bOutOfMemoryError\b|std::bad_alloc/i.test(
    output,
  );
  const killed = ended?.oomKilled === true || (ended?.exitCode === SIGKILL_EXIT && oomKills > 0);
  // A container's main process has no other reason to be killed before it is ready: nobody of ours does it.
  const likely = ended?.exitCode === SIGKILL_EXIT;
  const limit = mebibytes(template.limits.memoryBytes);
  const remedy = `Raise limits.memory of the template above ${limit}, or have the app use less`;
  if (killed) return { code: 'out_of_memory', reason: `it was killed for memory at ${limit}`, remedy };
  if (likely)
    return { code: 'out_of_memory', reason: `it was killed with SIGKILL, most likely for memory at ${limit}`, remedy };
  if (ended !== undefined && ended.exitCode !== 0 && told)
    return { code: 'out_of_memory', reason: `${ending(ended.exitCode)} out of memory at ${limit}`, remedy };
  if (ended === undefined && oomKills > 0)
    return {
      code: 'out_of_memory',
      reason: `${oomKills} of its processes ${oomKills === 1 ? 'was' : 'were'} killed for memory at ${limit}`,
      remedy,
    };
  return undefined;
}

function exited({ ended, output }: FailureFacts, hint: Hint | undefined): Explanation | undefined {
  if (ended === undefined) return undefined;
  const said = lastLine(output);
  const quoted = said === '' ? '; it wrote nothing' : `; it said: ${said}`;
  const why = hint === undefined ? '' : ` (${hint.what})`;
  const remedy =
    hint?.remedy ??
    (ended.exitCode === 0
      ? 'The image must start a server that stays in the foreground; see command and args of the template'
      : 'Give it what it asks for (env, command, database of the template), or fix the image');
  return { code: 'container_exited', reason: `${ending(ended.exitCode)} before it was ready${why}${quoted}`, remedy };
}

function notStarted({ step }: FailureFacts, hint: Hint | undefined): Explanation | undefined {
  const { code, message, service } = step;
  if (code !== 'container_failed') return undefined;
  if (service === undefined) return { code, reason: message, remedy: hint?.remedy ?? "See the engine's own words" };
  const remedy =
    hint === undefined
      ? 'See its last lines; its env, command, limits and readiness stand in services of the template'
      : `${hint.remedy} (its service ${service})`;
  return { code, reason: message, remedy };
}

function activation({ step }: FailureFacts, hint: Hint | undefined): Explanation | undefined {
  if (step.code !== 'activation_failed') return undefined;
  const remedy = hint?.remedy ?? 'Run the hook by hand in an instance, and see the activation section of the template';
  return { code: step.code, reason: step.message, remedy };
}

function listensElsewhere({ template: { port }, listening, seen }: FailureFacts): Reached | undefined {
  if (listening === undefined || isAnswer(seen)) return undefined;
  const here = listening.filter((socket) => socket.port === port);
  if (here.some(({ address }) => !isLoopback(address))) return undefined;
  const [inner] = here;
  if (inner !== undefined)
    return {
      reason: `it listens on ${inner.address}:${port} inside; it must listen on 0.0.0.0`,
      remedy:
        'Set its listen address to 0.0.0.0 by what it takes: often args: [--host, 0.0.0.0] or a variable in env of ' +
        'the template',
    };
  const others = [...new Set(listening.filter(({ address }) => !isLoopback(address)).map((socket) => socket.port))];
  const [other] = others;
  if (other !== undefined)
    return {
      reason: `it listens on ${others.join(', ')}, the template says port ${port}`,
      remedy: `Set port: ${other} in the template, or have the app listen on ${port}`,
    };
  const [loopback] = listening;
  if (loopback !== undefined)
    return {
      reason:
        `it listens on ${loopback.address}:${loopback.port} inside, and nothing on port ${port}; it must listen on ` +
        `0.0.0.0`,
      remedy: `Set port: ${loopback.port} in the template, and the app's listen address to 0.0.0.0 by its env or args`,
    };
  return {
    reason: `it runs, but nothing in it listens on port ${port} or any other`,
    remedy: 'See its output for what it waits for; readiness.timeout gives a slow start more time',
  };
}

function silent({ template: { readiness, port }, seen }: FailureFacts): Reached | undefined {
  if (seen === undefined) return undefined;
  const words = seen.kind === 'broken' ? seen.words : 'connection refused';
  return {
    reason: `it runs, but was not ready within ${readiness.timeoutMs} ms: ${words}`,
    remedy:
      seen.kind === 'refused'
        ? `See its output for what it waits for; it must listen on 0.0.0.0:${port}, and readiness.timeout gives it ` +
          'more time'
        : 'See its output, and the readiness section of the template',
  };
}

function ending(exitCode: number): string {
  const signal = signalOf(exitCode);
  return signal === undefined ? `it ended with exit code ${exitCode}` : `it was ended by ${signal}`;
}

/** The last line with words in it; of a stack trace, the line that says what is wrong. */
function lastLine(output: string): string {
  const lines = output
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => /\w/.test(line));
  const telling = lines.findLastIndex((line) => TELLING.test(line));
  const line = lines.at(telling >= 0 && telling >= lines.length - TRACE_LINES ? telling : -1);
  // A sentence goes on after it.
  return (line ?? '').slice(0, LINE_LENGTH).replace(/\.+$/, '');
}

const TELLING = /\b(fatal|error|exception|panic|denied|failed|missing|must)\b/i;
const TRACE_LINES = 30;
const LINE_LENGTH = 300;

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
