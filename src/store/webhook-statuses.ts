import type { Redis as Valkey } from 'iovalkey';
import type { DeliveryStatus, WebhookStatus, WebhookStatuses } from '../pool/interfaces/webhook-statuses.ts';
import { storeError } from './client.ts';
import { keys } from './keys.ts';

const REASON_LENGTH = 300;

/** One hash for each webhook; undefined fields keep what was written before. */
export class ValkeyWebhookStatuses implements WebhookStatuses {
  readonly #client: Valkey;

  constructor(client: Valkey) {
    this.#client = client;
  }

  async write(webhook: string, { deliveredAtMs, failedAtMs, failure, failuresInARow }: DeliveryStatus): Promise<void> {
    const fields: Record<string, string | number> = {
      failures: failuresInARow,
      ...(deliveredAtMs === undefined ? {} : { delivered_ms: deliveredAtMs }),
      ...(failedAtMs === undefined ? {} : { failed_ms: failedAtMs }),
      ...(failure === undefined ? {} : { failure: failure.slice(0, REASON_LENGTH) }),
    };
    try {
      await this.#client.hset(keys.webhook(webhook), fields);
    } catch (error) {
      throw storeError(error);
    }
  }

  async noteLost(webhook: string, count: number, to: number, atMs: number): Promise<void> {
    const key = keys.webhook(webhook);
    try {
      await this.#client.multi().hincrby(key, 'lost', count).hset(key, { lost_to: to, lost_ms: atMs }).exec();
    } catch (error) {
      throw storeError(error);
    }
  }

  async noteLeadsKept(webhook: string, to: number): Promise<void> {
    try {
      await this.#client.hset(keys.webhook(webhook), { leads_kept_to: to });
    } catch (error) {
      throw storeError(error);
    }
  }

  async read(webhook: string): Promise<WebhookStatus> {
    try {
      const found = await this.#client.hgetall(keys.webhook(webhook));
      return {
        deliveredAtMs: wholeNumber(found['delivered_ms']),
        failedAtMs: wholeNumber(found['failed_ms']),
        failure: found['failure'],
        failuresInARow: wholeNumber(found['failures']) ?? 0,
        lost: wholeNumber(found['lost']) ?? 0,
        lostAtMs: wholeNumber(found['lost_ms']),
        lostTo: wholeNumber(found['lost_to']) ?? 0,
        leadsKeptTo: wholeNumber(found['leads_kept_to']) ?? 0,
      };
    } catch (error) {
      throw storeError(error);
    }
  }
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
