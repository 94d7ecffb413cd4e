import Type from 'typebox';
import type { PlannedChange } from '../../pool/reload-templates.ts';
import type { App } from '../context.ts';
import type { CatalogueProcess, TemplateOperators } from './operators.ts';
import { operatorProblems } from './problems.ts';
import { NoQuery } from './schemas.ts';
import { isoTime } from './times.ts';

const tags = ['templates'];
const Count = (description: string) => Type.Integer({ minimum: 0, description });
const Nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const Revision = Type.String({
  description: 'Of the whole catalogue: the same where the templates and their file are.',
});

const ReloadBody = Type.Object(
  { dry_run: Type.Optional(Type.Boolean({ description: 'Only say what would change.' })) },
  { additionalProperties: false },
);
const ChangeBody = Type.Object({
  template: Type.String(),
  change: Type.Enum(['added', 'changed', 'removed', 'unchanged']),
  keys: Type.Array(Type.String(), { description: 'Of one that is changed: what is said otherwise in the file.' }),
  replaced: Count('Ready instances that are taken out for it, a part at a time where it is still offered.'),
  visitors: Count('Those who visit one, and notice nothing.'),
});
export const ReloadedBody = Type.Object({
  dry_run: Type.Boolean(),
  revision: Nullable(Revision),
  request: Nullable(Type.Integer({ description: 'A process whose `reloads` is not below it has followed.' })),
  changes: Type.Array(ChangeBody, { description: 'In the order of the file; what is removed comes last.' }),
  warnings: Type.Array(Type.String()),
});
export const CatalogueBody = Type.Object({
  revision: Revision,
  templates: Type.Array(
    Type.Object({
      name: Type.String(),
      version: Type.String(),
      ends: Nullable(Type.String({ format: 'date-time', description: 'From then on nobody gets one.' })),
      preview_of: Nullable(Type.String({ description: 'Of a preview: the template that it is a copy of.' })),
    }),
  ),
  processes: Type.Array(
    Type.Object({
      role: Type.Enum(['server', 'worker']),
      host: Type.String(),
      pid: Type.Integer(),
      node: Type.String(),
      revision: Nullable(Type.String({ description: 'What it goes by; null: a version that does not say.' })),
      since: Nullable(Type.String({ format: 'date-time' })),
      reloads: Count('How many requests to reload it has carried out, or refused.'),
      problem: Nullable(Type.String({ description: 'Why it refused the last one, and goes by what was before.' })),
    }),
    { description: 'Every server and worker that runs.' },
  ),
});

/** What is on offer, and how it comes to be something else without a restart. */
export function templateRoutes(app: App, operators: TemplateOperators): void {
  app.get(
    '/admin/v1/templates',
    {
      schema: {
        tags,
        operationId: 'showCatalogue',
        summary: 'What is on offer, and which process goes by what',
        querystring: NoQuery,
        response: { 200: CatalogueBody, ...operatorProblems() },
      },
    },
    async () => {
      const { revision, templates, processes } = await operators.catalogue();
      return {
        revision,
        templates: templates.map(({ name, version, endsAtMs, previewOf }) => ({
          ...{ name, version, ends: isoTime(endsAtMs), preview_of: previewOf ?? null },
        })),
        processes: processes.map(processBody),
      };
    },
  );

  app.post(
    '/admin/v1/templates/reload',
    {
      config: { audit: 'templates.reload' },
      schema: {
        tags,
        operationId: 'reloadTemplates',
        summary: 'Read the templates again',
        description:
          'This server at once, every other one and every worker within seconds, each from the file that it was ' +
          'started with. A file with a problem changes nothing. Visits go on; ready instances that would not do any ' +
          'more are replaced a part at a time.',
        body: ReloadBody,
        response: { 200: ReloadedBody, ...operatorProblems('invalid_templates') },
      },
    },
    async (request) => {
      const dryRun = request.body.dry_run === true;
      const { changes, warnings, revision, request: number } = await operators.reloadTemplates(dryRun);
      return {
        dry_run: dryRun,
        revision: revision ?? null,
        request: number ?? null,
        changes: changes.map(changeBody),
        warnings: [...warnings],
      };
    },
  );
}

function changeBody(change: PlannedChange) {
  const { name, kind, replaced, visitors } = change;
  const keys = change.kind === 'changed' ? [...change.keys] : [];
  return { template: name, change: kind, keys, replaced, visitors };
}

function processBody({ role, host, pid, node, catalogue }: CatalogueProcess) {
  return {
    ...{ role, host, pid, node, revision: catalogue?.revision ?? null, since: isoTime(catalogue?.sinceMs) },
    ...{ reloads: catalogue?.reloads ?? 0, problem: catalogue?.problem ?? null },
  };
}
