import type { Config } from '../config/config.ts';
import { runChecks } from '../doctor/check.ts';
import type { Catalogue } from '../domain/template.ts';
import type { OperatorJob } from '../domain/operator-job.ts';
import type { CheckpointOperators, DoctorOperators, WebhookOperators } from '../http/admin/operators.ts';
import { withDeadline } from '../lifecycle/deadline.ts';
import { untilAborted } from '../lifecycle/until-aborted.ts';
import { openCheckpointRepository } from '../checkpoints/repository.ts';
import { requireTemplate } from '../pool/checkpoint-command.ts';
import {
  createCheckpoint,
  createPromoted,
  promoteCheckpoint,
  prunable,
  rollbackCheckpoint,
} from '../pool/checkpoints.ts';
import type { CheckpointRepository } from '../pool/interfaces/checkpoint-repository.ts';
import type { ImageUpdates } from '../pool/interfaces/image-updates.ts';
import type { Promotions } from '../pool/interfaces/promotions.ts';
import { replayWebhook, webhookNamed, type OperateWebhooksDeps } from '../pool/operate-webhooks.ts';
import { OperatorJobs, type OperatorJobsDeps } from '../pool/operator-jobs.ts';
import { verifyCheckpoint, type Verification } from '../pool/verify-checkpoint.ts';
import { openCheckpointContext, type CheckpointContext } from './checkpoint-context.ts';
import { openDoctorContext } from './doctor-context.ts';

/** For removing what a trial of checkpoints made; an engine that hangs is not waited for longer. */
const TIDY_MS = 60_000;

/** Those that begin what outlives the request. */
export type HostOperators = CheckpointOperators & DoctorOperators & Pick<WebhookOperators, 'replayWebhook'>;

export interface HostOperatorsDeps extends OperatorJobsDeps, Pick<OperateWebhooksDeps, 'webhooks' | 'webhookAdmin'> {
  readonly config: Config;
  readonly catalogue: Catalogue;
  readonly promotions: Promotions;
  readonly imageUpdates: Pick<ImageUpdates, 'read'>;
}

/** What the commands `checkpoint`, `doctor` and `webhooks replay` do, done by this server, each as a job. */
export function createHostOperators(deps: HostOperatorsDeps): {
  readonly operators: HostOperators;
  readonly stop: () => Promise<void>;
} {
  const jobs = new OperatorJobs(deps);
  const repository = openCheckpointRepository({ dir: deps.config.checkpoints.dir, log: deps.log });
  return {
    operators: {
      ...checkpointOperators(deps, repository, jobs),
      ...doctorOperators(deps, jobs),
      replayWebhook: (name, withinMs, who) => beginReplay(deps, jobs, name, withinMs, who),
    },
    stop: () => jobs.stop(),
  };
}

function checkpointOperators(
  deps: HostOperatorsDeps,
  checkpointRepository: CheckpointRepository,
  jobs: OperatorJobs,
): CheckpointOperators {
  const { config, catalogue, promotions, imageUpdates: updates } = deps;
  return {
    checkpoints: async () => ({
      node: config.node.name,
      enabled: config.checkpoints.mode !== 'off',
      checkpoints: await checkpointRepository.list(),
      promotions: await Promise.all(
        catalogue.all().map(async ({ name }) => ({ template: name, ...(await promotions.status(name)) })),
      ),
    }),
    createCheckpoint: (template, promote, who) => {
      requireTemplate(catalogue, template);
      return jobs.begin({ action: 'checkpoint.create', on: template, who }, (onStep, signal) =>
        withCheckpoints(deps, async (context) => {
          if (!promote) {
            const { id } = await createCheckpoint(context, template, onStep, signal);
            return `Checkpoint ${id} is made; promote it next`;
          }
          const promoted = await createPromoted(context, template, onStep, signal);
          return `Checkpoint ${promoted.metadata.id} is made and promoted; ${restoreTimes(promoted)}`;
        }),
      );
    },
    verifyCheckpoint: async (id, who) => {
      await checkpointRepository.metadata(id);
      return jobs.begin({ action: 'checkpoint.verify', on: id, who }, (onStep, signal) =>
        withCheckpoints(
          deps,
          async (context) => `It is sound; ${restoreTimes(await verifyCheckpoint(context, id, onStep, signal))}`,
        ),
      );
    },
    promoteCheckpoint: async (id, who) => {
      await checkpointRepository.metadata(id);
      return jobs.begin({ action: 'checkpoint.promote', on: id, who }, (onStep, signal) =>
        withCheckpoints(deps, async (context) => {
          const promotion = await promoteCheckpoint(context, id, onStep, signal);
          return promotion.changed
            ? `It is promoted, and the pool of ${promotion.metadata.template} is replaced gradually; ` +
                restoreTimes(promotion)
            : 'It was promoted already; it is sound, and nothing changed';
        }),
      );
    },
    rollbackCheckpoint: (template) => rollbackCheckpoint(deps, template),
    pruneCheckpoints: async (keep) => {
      const removable = await prunable({ catalogue, checkpointRepository, promotions, updates }, keep);
      for (const id of removable) await checkpointRepository.remove(id);
      return removable;
    },
  };
}

/** What a command opens beside the server, opened beside the server. */
async function withCheckpoints(
  { config, catalogue, log }: HostOperatorsDeps,
  work: (context: CheckpointContext) => Promise<string>,
): Promise<string> {
  const context = await openCheckpointContext({ ...config, templates: catalogue.all() }, log);
  try {
    return await work(context);
  } finally {
    await context.close();
  }
}

function doctorOperators(
  { config, catalogue, activity, clock, log }: HostOperatorsDeps,
  jobs: OperatorJobs,
): DoctorOperators {
  return {
    jobs: () => jobs.list(),
    diagnosed: () => activity.diagnosed,
    diagnose: (who) =>
      jobs.begin({ action: 'doctor.run', on: 'all', who }, async (onStep, signal) => {
        const context = await openDoctorContext({ ...config, templates: catalogue.all() }, log);
        try {
          signal.throwIfAborted();
          const total = context.checks.length;
          const checks = runChecks(context.checks, (ended) => onStep(`${ended} of ${total} checks have ended`));
          const findings = await untilAborted(checks, signal);
          activity.diagnosed = { atMs: clock.now(), findings };
          const count = (wanted: string): number => findings.filter(({ verdict }) => verdict === wanted).length;
          return `${count('failure')} failures, ${count('warning')} warnings, ${count('ok')} in order`;
        } finally {
          await withDeadline(TIDY_MS, context.tidied(), () => undefined);
          context.close();
        }
      }),
  };
}

function beginReplay(
  deps: HostOperatorsDeps,
  jobs: OperatorJobs,
  name: string,
  ...[withinMs, who]: readonly [number | undefined, string]
): OperatorJob {
  const webhook = webhookNamed(deps, name);
  const events = (count: number): string => (count === 1 ? '1 event is' : `${count} events are`);
  return jobs.begin({ action: 'webhooks.replay', on: name, who }, async (onStep, signal) => {
    const onCount = (count: number): void => onStep(`${events(count)} delivered again so far`);
    return `${events(await replayWebhook(deps, webhook, withinMs, { onCount, signal }))} delivered to ${name} again`;
  });
}

function restoreTimes({ restoreMs }: Pick<Verification, 'restoreMs'>): string {
  return `two restores side by side took ${restoreMs.map((ms) => (ms / 1_000).toFixed(2)).join(' and ')} s`;
}
