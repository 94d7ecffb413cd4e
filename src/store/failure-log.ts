import type { Redis as Valkey } from 'iovalkey';
import Value from 'typebox/value';
import { FailureReport } from '../domain/failure-report.ts';
import { visitName } from '../domain/ids.ts';
import type { Log } from '../domain/log.ts';
import type { FailureLog } from '../pool/interfaces/failure-log.ts';
import { storeError } from './client.ts';
import { keys } from './keys.ts';

/** Of one template; each has up to 4 KB of output. */
const KEPT = 5;
const KEPT_MS = 7 * 24 * 60 * 60 * 1_000;
/** Noted again every few seconds while it lasts, so whoever dies leaves nothing that is not true. */
const UNREADY_MS = 10_000;

/** A capped list for each template, which ends by itself. */
export class ValkeyFailureLog implements FailureLog {
  readonly #client: Valkey;
  readonly #log: Log;

  constructor(client: Valkey, log: Log) {
    this.#client = client;
    this.#log = log;
  }

  async record(report: FailureReport): Promise<void> {
    const key = keys.failures(report.template);
    try {
      await this.#client
        .multi()
        .lpush(key, JSON.stringify(report))
        .ltrim(key, 0, KEPT - 1)
        .pexpire(key, KEPT_MS)
        .exec();
    } catch (error) {
      throw storeError(error);
    }
  }

  async recent(template: string): Promise<readonly FailureReport[]> {
    try {
      const found = await this.#client.lrange(keys.failures(template), 0, -1);
      return found.flatMap((text) => this.#parsed(template, text) ?? []);
    } catch (error) {
      throw storeError(error);
    }
  }

  async find(instance: string, templates: readonly string[]): Promise<FailureReport | undefined> {
    const found = await Promise.all(templates.map((template) => this.recent(template)));
    return found.flat().find((report) => [report.instance, visitName(report.instance)].includes(instance));
  }

  async noteUnready(report: FailureReport): Promise<void> {
    try {
      await this.#client.set(keys.unready(report.template), JSON.stringify(report), 'PX', UNREADY_MS);
    } catch (error) {
      throw storeError(error);
    }
  }

  async forgetUnready(template: string): Promise<void> {
    try {
      await this.#client.del(keys.unready(template));
    } catch (error) {
      throw storeError(error);
    }
  }

  async unready(template: string): Promise<FailureReport | undefined> {
    try {
      const text = await this.#client.get(keys.unready(template));
      return text === null ? undefined : this.#parsed(template, text);
    } catch (error) {
      throw storeError(error);
    }
  }

  #parsed(template: string, text: string): FailureReport | undefined {
    try {
      const value: unknown = JSON.parse(text);
      if (Value.Check(FailureReport, value)) return value;
    } catch {
      // Told below.
    }
    this.#log.warn({ template }, 'A report of a failed attempt is damaged or of another version; skipped');
    return undefined;
  }
}
