import type { Redis as Valkey } from 'iovalkey';
import type { WebhookStatus, WebhookStatuses } from '../pool/interfaces/webhook-statuses.ts';
import { storeError } from './client.ts';
import { keys } from './keys.ts';

const REASON_LENGTH = 300;

/** One hash for each webhook; undefined fields keep what was written before. */
export class ValkeyWebhookStatuses implements WebhookStatuses {
  readonly #client: Valkey;

  constructor(client: Valkey) {
    this.#client = client;
  }

  async write(webhook: string, { deliveredAtMs, failedAtMs, failure, failuresInARow }: WebhookStatus): Promise<void> {
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

  async read(webhook: string): Promise<WebhookStatus> {
    try {
      const { delivered_ms, failed_ms, failure, failures } = await this.#client.hgetall(keys.webhook(webhook));
      return {
        deliveredAtMs: wholeNumber(delivered_ms),
        failedAtMs: wholeNumber(failed_ms),
        failure,
        failuresInARow: wholeNumber(failures) ?? 0,
      };
    } catch (error) {
      throw storeError(error);
    }
  }
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
