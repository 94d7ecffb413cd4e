import type { DestinationStream } from 'pino';

const MARK = 'Provision task failed';
/** From this many on a template is not waited for: the pool pauses it, and says so too. */
const ENOUGH = 3;

/** Reads along in the log of this process, so that a template's failure reaches the terminal as it happens. */
export class FailedStarts implements DestinationStream {
  readonly #log: DestinationStream;
  readonly #tell: (template: string, reason: string) => void;
  readonly #told = new Set<string>();
  readonly #counts = new Map<string, number>();

  /** `tell` is called once for each template's each reason. */
  constructor(log: DestinationStream, tell: (template: string, reason: string) => void) {
    this.#log = log;
    this.#tell = tell;
  }

  write(line: string): void {
    this.#log.write(line);
    if (line.includes(MARK)) this.#note(line);
  }

  /** Whether its starts fail again and again. */
  isHopeless(template: string): boolean {
    return (this.#counts.get(template) ?? 0) >= ENOUGH;
  }

  #note(line: string): void {
    const { msg, template, reason } = JSON.parse(line) as Readonly<Record<string, unknown>>;
    if (msg !== MARK || typeof template !== 'string' || typeof reason !== 'string') return;
    this.#counts.set(template, (this.#counts.get(template) ?? 0) + 1);
    const said = `${template}\n${reason.replaceAll(/[0-9a-f]{8,}|[0-9]+/g, '')}`;
    if (this.#told.has(said)) return;
    this.#told.add(said);
    this.#tell(template, reason);
  }
}
