import type { Redis as Valkey } from 'iovalkey';
import { AUDIT_PLACES, type AuditEntry, type AuditLog, type AuditPlace } from '../pool/interfaces/audit-log.ts';
import { storeError } from './client.ts';
import { keys } from './keys.ts';

/** Of each place: a busy operator's year. */
const KEPT = 10_000;

/** A capped stream for each place; the ids are the store's own times. */
export class ValkeyAuditLog implements AuditLog {
  readonly #client: Valkey;

  constructor(client: Valkey) {
    this.#client = client;
  }

  async record({ who, action, on, outcome }: Omit<AuditEntry, 'atMs'>, place: AuditPlace): Promise<void> {
    const fields = ['who', who, 'action', action, 'on', on, 'outcome', outcome];
    try {
      await this.#client.xadd(keyOf(place), 'MAXLEN', '~', KEPT, '*', ...fields);
    } catch (error) {
      throw storeError(error);
    }
  }

  async recent(limit: number): Promise<readonly AuditEntry[]> {
    try {
      const found = await Promise.all(
        AUDIT_PLACES.map((place) => this.#client.xrevrange(keyOf(place), '+', '-', 'COUNT', limit)),
      );
      return found
        .flat()
        .map(([id, fields]) => ({ at: timeOf(id), entry: entryOf(id, fields) }))
        .sort((a, b) => b.at[0] - a.at[0] || b.at[1] - a.at[1])
        .slice(0, limit)
        .map(({ entry }) => entry);
    } catch (error) {
      throw storeError(error);
    }
  }
}

function keyOf(place: AuditPlace): string {
  return place === 'admin' ? keys.audit : keys.auditOf(place);
}

/** In ms, and its number within that. */
function timeOf(id: string): readonly [number, number] {
  const [ms, number] = id.split('-');
  return [Number(ms), Number(number)];
}

function entryOf(id: string, fields: readonly string[]): AuditEntry {
  const field = (name: string): string => fields[fields.indexOf(name) + 1] ?? '';
  return {
    atMs: timeOf(id)[0],
    who: field('who'),
    action: field('action'),
    on: field('on'),
    outcome: field('outcome'),
  };
}
