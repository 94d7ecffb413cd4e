import type { Redis as Valkey } from 'iovalkey';
import type { AuditEntry, AuditLog } from '../pool/interfaces/audit-log.ts';
import { storeError } from './client.ts';
import { keys } from './keys.ts';

/** A busy operator's year. */
const KEPT = 10_000;

/** A capped stream; the ids are the store's own times. */
export class ValkeyAuditLog implements AuditLog {
  readonly #client: Valkey;

  constructor(client: Valkey) {
    this.#client = client;
  }

  async record({ who, action, on, outcome }: Omit<AuditEntry, 'atMs'>): Promise<void> {
    try {
      await this.#client.xadd(
        keys.audit,
        'MAXLEN',
        '~',
        KEPT,
        '*',
        'who',
        who,
        'action',
        action,
        'on',
        on,
        'outcome',
        outcome,
      );
    } catch (error) {
      throw storeError(error);
    }
  }

  async recent(limit: number): Promise<readonly AuditEntry[]> {
    try {
      const found = await this.#client.xrevrange(keys.audit, '+', '-', 'COUNT', limit);
      return found.map(([id, fields]) => {
        const field = (name: string): string => fields[fields.indexOf(name) + 1] ?? '';
        return {
          atMs: Number(id.split('-')[0]),
          who: field('who'),
          action: field('action'),
          on: field('on'),
          outcome: field('outcome'),
        };
      });
    } catch (error) {
      throw storeError(error);
    }
  }
}
