import type { DestinationStream } from 'pino';

/** Lines of the log, and what they say of the template. */
const MARKS: ReadonlyMap<string, string> = new Map([
  ['Provision task failed', 'could not be started'],
  ['Instance is not ready so far', 'is not ready so far'],
]);
/** What differs from instance to instance: its host name, what its container is called, times. */
const OWN = /[a-z2-7]{20,}|[0-9a-f]{8,}|[0-9]+/g;
const FAILED = 'Provision task failed';
/** From this many on a template is not waited for: the pool pauses it, and says so too. */
const ENOUGH = 3;

/** Reads along in the log of this process, so that what is wrong with a template reaches the terminal as it happens. */
export class FailedStarts implements DestinationStream {
  readonly #log: DestinationStream;
  readonly #tell: (sentence: string) => void;
  readonly #told = new Set<string>();
  readonly #counts = new Map<string, number>();

  /** `tell` is called once for each template's each reason. */
  constructor(log: DestinationStream, tell: (sentence: string) => void) {
    this.#log = log;
    this.#tell = tell;
  }

  write(line: string): void {
    this.#log.write(line);
    for (const mark of MARKS.keys()) if (line.includes(mark)) this.#note(line);
  }

  /** Whether its starts fail again and again. */
  isHopeless(template: string): boolean {
    return (this.#counts.get(template) ?? 0) >= ENOUGH;
  }

  #note(line: string): void {
    const { msg, template, reason } = JSON.parse(line) as Readonly<Record<string, unknown>>;
    const what = typeof msg === 'string' ? MARKS.get(msg) : undefined;
    if (what === undefined || typeof template !== 'string' || typeof reason !== 'string') return;
    if (msg === FAILED) this.#counts.set(template, (this.#counts.get(template) ?? 0) + 1);
    const said = `${template}\n${reason.replaceAll(OWN, '')}`;
    if (this.#told.has(said)) return;
    this.#told.add(said);
    this.#tell(`${template} ${what}: ${reason}`);
  }
}
