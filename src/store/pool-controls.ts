import type { Redis as Valkey } from 'iovalkey';
import { POOL_MODES, type PoolControl, type PoolControls, type PoolMode } from '../pool/interfaces/pool-controls.ts';
import { storeError } from './client.ts';
import { keys } from './keys.ts';
import type { Scripts } from './scripts.ts';
import { storedNumber } from './stored-number.ts';

const REASON_LENGTH = 200;

/** What operators decided per template, kept apart from the configuration, which it outlives. */
export class ValkeyPoolControls implements PoolControls {
  readonly #client: Valkey;
  readonly #scripts: Scripts;

  constructor(client: Valkey, scripts: Scripts) {
    this.#client = client;
    this.#scripts = scripts;
  }

  async read(templates: readonly string[]): Promise<ReadonlyMap<string, PoolControl>> {
    const found = await this.#ask(() =>
      Promise.all(templates.map((template) => this.#client.hgetall(keys.poolControl(template)))),
    );
    return new Map(templates.map((template, index) => [template, controlOf(found[index] ?? {})]));
  }

  async pause(template: string, reason: string | undefined): Promise<void> {
    await this.#control(template, 'paused', undefined, reason);
  }

  async drain(template: string, withinMs: number | undefined, reason: string | undefined): Promise<number | undefined> {
    const deadlineMs = await this.#control(template, 'draining', withinMs, reason);
    return deadlineMs === 0 ? undefined : deadlineMs;
  }

  async resume(template: string): Promise<void> {
    await this.#control(template, 'open', undefined, undefined);
  }

  async setTarget(template: string, target: number | undefined, untilMs?: number): Promise<void> {
    const key = keys.poolControl(template);
    await this.#ask(() => {
      const batch = this.#client.multi().hdel(key, 'target', 'target_until_ms');
      if (target !== undefined) batch.hset(key, 'target', target);
      if (target !== undefined && untilMs !== undefined) batch.hset(key, 'target_until_ms', untilMs);
      return batch.exec();
    });
  }

  async #control(
    template: string,
    mode: PoolMode,
    withinMs: number | undefined,
    reason: string | undefined,
  ): Promise<number> {
    return Number(
      await this.#scripts.run(
        'control-pool',
        [keys.poolControl(template)],
        [mode, withinMs ?? '', reason?.slice(0, REASON_LENGTH) ?? ''],
      ),
    );
  }

  async #ask<T>(question: () => Promise<T>): Promise<T> {
    try {
      return await question();
    } catch (error) {
      throw storeError(error);
    }
  }
}

function controlOf(fields: Readonly<Record<string, string>>): PoolControl {
  return {
    mode: POOL_MODES.find((mode) => mode === fields['mode']) ?? 'open',
    sinceMs: storedNumber(fields['since_ms']),
    deadlineMs: storedNumber(fields['deadline_ms']),
    reason: fields['reason'],
    target: storedNumber(fields['target']),
    targetUntilMs: storedNumber(fields['target_until_ms']),
  };
}
