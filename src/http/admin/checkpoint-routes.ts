import Type from 'typebox';
import { CHECKPOINT_ID_PATTERN } from '../../domain/ids.ts';
import type { App } from '../context.ts';
import type { Callers } from './callers.ts';
import { JobBody, jobBody, whoAsks } from './job-routes.ts';
import type { CheckpointOperators } from './operators.ts';
import { operatorProblems } from './problems.ts';
import { EmptyBody, NoQuery, TemplateParams } from './schemas.ts';

const CheckpointParams = Type.Object({
  id: Type.String({ pattern: CHECKPOINT_ID_PATTERN, description: 'As listed.' }),
});
const CreateBody = Type.Object(
  { promote: Type.Optional(Type.Boolean({ description: 'Verify and promote it as well.' })) },
  { additionalProperties: false },
);
const PruneBody = Type.Object(
  {
    keep: Type.Integer({
      minimum: 0,
      maximum: 999_999,
      description: 'How many of the others to keep of each template.',
    }),
  },
  { additionalProperties: false },
);
const PrunedBody = Type.Object({ deleted: Type.Array(Type.String()) });
const RolledBackBody = Type.Object({
  from: Type.String({ description: 'What it is no longer restored from.' }),
  to: Type.Union([Type.String(), Type.Null()], {
    description: 'What it is restored from again; null: it starts cold.',
  }),
});
const CheckpointsBody = Type.Object({
  node: Type.String({ description: 'Whose disk they are on.' }),
  enabled: Type.Boolean({ description: 'False where CRIU_ENABLED is false.' }),
  checkpoints: Type.Array(
    Type.Object({
      id: Type.String(),
      template: Type.Union([Type.String(), Type.Null()]),
      created_at: Type.Union([Type.String(), Type.Null()]),
      size_bytes: Type.Union([Type.Integer(), Type.Null()]),
      problem: Type.Union([Type.String(), Type.Null()], { description: 'Why it cannot be read.' }),
    }),
    { description: 'The newest first.' },
  ),
  promotions: Type.Array(
    Type.Object({
      template: Type.String(),
      current: Type.Union([Type.String(), Type.Null()], { description: 'Null: it starts cold.' }),
      earlier: Type.Array(Type.String(), { description: 'The one that rollback goes back to first.' }),
      proven: Type.Boolean({ description: 'Instances were restored from it since it was promoted.' }),
      failures: Type.Integer({ description: 'Restores that failed.' }),
      withdrawn: Type.Union([Type.String(), Type.Null()], { description: 'Taken out, because it did not restore.' }),
    }),
  ),
});

const tags = ['checkpoints'];

/** Checkpoints on the disk of this server's host. */
export function checkpointRoutes(app: App, operators: CheckpointOperators, callers: Callers): void {
  app.get(
    '/admin/v1/checkpoints',
    {
      schema: {
        tags,
        operationId: 'listCheckpoints',
        summary: 'The checkpoints on this host, and what templates are restored from',
        querystring: NoQuery,
        response: { 200: CheckpointsBody, ...operatorProblems() },
      },
    },
    async () => {
      const { node, enabled, checkpoints, promotions } = await operators.checkpoints();
      return {
        node,
        enabled,
        checkpoints: checkpoints.map(({ id, metadata, problem }) => ({
          id,
          template: metadata?.template ?? null,
          created_at: metadata?.createdAt ?? null,
          size_bytes: metadata?.sizeBytes ?? null,
          problem: problem ?? null,
        })),
        promotions: promotions.map(({ current, withdrawn, earlier, ...rest }) => ({
          ...rest,
          earlier: [...earlier],
          current: current ?? null,
          withdrawn: withdrawn ?? null,
        })),
      };
    },
  );

  beginningRoutes(app, operators, callers);
  endingRoutes(app, operators);
}

/** What takes long goes on after the answer. */
function beginningRoutes(app: App, operators: CheckpointOperators, callers: Callers): void {
  app.post(
    '/admin/v1/pools/:template/checkpoints',
    {
      config: { audit: 'checkpoint.create' },
      schema: {
        tags,
        operationId: 'createCheckpoint',
        summary: 'Start the app of a template, warm it up and dump it',
        params: TemplateParams,
        body: CreateBody,
        response: { 202: JobBody, ...operatorProblems('unknown_template', 'job_running') },
      },
    },
    (request, reply) => {
      const { template } = request.params;
      const job = operators.createCheckpoint(template, request.body.promote === true, whoAsks(callers, request));
      reply.code(202);
      return jobBody(job);
    },
  );

  for (const [verb, operationId, summary] of [
    ['verify', 'verifyCheckpoint', 'Restore two clones of it and see that each is its own'],
    ['promote', 'promoteCheckpoint', 'Verify it and have every node restore its template from it'],
  ] as const)
    app.post(
      `/admin/v1/checkpoints/:id/${verb}`,
      {
        config: { audit: `checkpoint.${verb}` },
        schema: {
          tags,
          operationId,
          summary,
          params: CheckpointParams,
          body: EmptyBody,
          response: { 202: JobBody, ...operatorProblems('unknown_checkpoint', 'checkpoint_damaged', 'job_running') },
        },
      },
      async (request, reply) => {
        const { id } = request.params;
        const job = await operators[operationId](id, whoAsks(callers, request));
        reply.code(202);
        return jobBody(job);
      },
    );
}

function endingRoutes(app: App, operators: CheckpointOperators): void {
  app.post(
    '/admin/v1/pools/:template/checkpoint/rollback',
    {
      config: { audit: 'checkpoint.rollback' },
      schema: {
        tags,
        operationId: 'rollbackCheckpoint',
        summary: 'Go back to the checkpoint promoted before, or to cold starts',
        params: TemplateParams,
        body: EmptyBody,
        response: { 200: RolledBackBody, ...operatorProblems('unknown_template', 'no_earlier_checkpoint') },
      },
    },
    async (request) => {
      const { from, to } = await operators.rollbackCheckpoint(request.params.template);
      return { from, to: to ?? null };
    },
  );

  app.post(
    '/admin/v1/checkpoints/prune',
    {
      config: { audit: 'checkpoint.prune' },
      schema: {
        tags,
        operationId: 'pruneCheckpoints',
        summary: 'Delete old checkpoints of this host',
        description: 'Never one that is promoted or can be gone back to.',
        body: PruneBody,
        response: { 200: PrunedBody, ...operatorProblems() },
      },
    },
    async (request) => ({ deleted: [...(await operators.pruneCheckpoints(request.body.keep))] }),
  );
}
