import type { Config } from '../config/config.ts';
import type { Log } from '../domain/log.ts';
import { openCheckpointRepository } from '../checkpoints/repository.ts';
import { Releasers } from '../lifecycle/releasers.ts';
import type { BackupDeps } from '../pool/backup.ts';
import { JetStreamSavedEvents } from '../queue/saved-events.ts';
import { JetStreamWebhookFeed } from '../queue/webhook-feed.ts';
import { ValkeySavedState } from '../store/saved-state.ts';
import { WEBHOOK_POLICY } from '../webhooks/policy.ts';
import { Infrastructure } from './infrastructure.ts';

export interface BackupContext extends BackupDeps {
  readonly close: () => Promise<void>;
}

/** What a backup is made from and goes back to. Throws store_unavailable, queue_unavailable. */
export async function openBackupContext(config: Config, log: Log): Promise<BackupContext> {
  const releasers = new Releasers();
  try {
    const infrastructure = new Infrastructure({ config, log, releasers });
    const store = await infrastructure.openStore();
    const connection = await infrastructure.openQueue();
    const { ackWaitMs, window } = WEBHOOK_POLICY;
    return {
      deployment: config.deployment,
      templates: config.templates.map(({ name }) => name),
      savedState: new ValkeySavedState(await infrastructure.openValkey()),
      savedEvents: new JetStreamSavedEvents(connection, (webhook) =>
        new JetStreamWebhookFeed({ connection, webhook, ackWaitMs, window }).open(),
      ),
      promotions: store.promotions,
      checkpointRepository: openCheckpointRepository({ dir: config.checkpoints.dir, log }),
      close: () => releasers.releaseAll(log),
    };
  } catch (error) {
    await releasers.releaseAll(log);
    throw error;
  }
}
