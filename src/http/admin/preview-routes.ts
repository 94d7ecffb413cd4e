import Type from 'typebox';
import { TryItNowError } from '../../domain/errors.ts';
import { PREVIEW_STATES, type PreviewSnapshot } from '../../pool/operate-previews.ts';
import type { App } from '../context.ts';
import type { Callers } from './callers.ts';
import type { PreviewOperators } from './operators.ts';
import { operatorProblems } from './problems.ts';
import { NoQuery } from './schemas.ts';
import { isoTime, requestedMs } from './times.ts';

const tags = ['previews'];
const YEAR_SECONDS = 365 * 24 * 3600;
const Count = (description: string) => Type.Integer({ minimum: 0, description });
const Nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const Time = (description: string) => Type.String({ format: 'date-time', description });

const NewPreviewParams = Type.Object({
  preview: Type.String({
    pattern: '^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$',
    description: 'As templates are called: 1 to 32 of a-z, 0-9 and -.',
  }),
});
const PreviewParams = Type.Object({ preview: Type.String({ description: 'Its name.' }) });
const NewPreviewBody = Type.Object(
  {
    from: Type.String({ description: 'The template that it is a copy of, which has to allow previews.' }),
    image: Type.String({
      pattern: '^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,254}$',
      description: "In place of the template's; the template says which may be.",
    }),
    title: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 80,
        pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]*$',
        description: "What visitors read; without it, the template's with the preview's name.",
      }),
    ),
    ends_at: Type.Optional(Time('When it ends; without it and `for_seconds`, as late as the template allows.')),
    for_seconds: Type.Optional(Type.Integer({ minimum: 1, maximum: YEAR_SECONDS, description: 'After so long.' })),
  },
  { additionalProperties: false },
);
export const PreviewBody = Type.Object(
  {
    name: Type.String({ description: 'What an acquire takes as `template`.' }),
    from: Type.String(),
    image: Type.String(),
    title: Type.String(),
    state: Type.Enum([...PREVIEW_STATES], {
      description:
        '`starting`: no instance of this image has come up so far; `failing`: nor will one, as far as is known; ' +
        '`refused`: not offered before its end, since the file has changed; `ended`: nobody gets one any more, and ' +
        'it is gone once nobody visits one.',
    }),
    why: Nullable(Type.String({ description: 'Why it is failing or refused.' })),
    ready: Count('Instances of this image that wait for a visitor.'),
    visitors: Count('Those who visit one, of this image or of one before.'),
    created: Time('When it was put first.'),
    put: Time('When this image was put.'),
    by: Nullable(Type.String({ description: 'Who put it last, as in the audit log; null: not known.' })),
    ends: Time('When it ends, or ended.'),
    url: Type.String({ description: 'Where visitors click.' }),
    badge: Type.String({ description: 'An image of a button, for pages that take no other.' }),
  },
  { description: 'A copy of a template with another image.' },
);
export const PreviewsBody = Type.Object({ previews: Type.Array(PreviewBody) }, { description: 'Sorted by name.' });

interface Context {
  readonly callers: Callers;
  /** Where visitors find them. */
  readonly publicUrl: string;
}

/** Copies of templates that come and go while the server runs. A key may be for those of one template alone. */
export function previewRoutes(app: App, operators: PreviewOperators, context: Context): void {
  lookRoutes(app, operators, context);
  changeRoutes(app, operators, context);
}

function lookRoutes(app: App, operators: PreviewOperators, { callers, publicUrl }: Context): void {
  app.get(
    '/admin/v1/previews',
    {
      config: { previews: true },
      schema: {
        tags,
        operationId: 'listPreviews',
        summary: 'Every preview, and how it does',
        querystring: NoQuery,
        response: { 200: PreviewsBody, ...operatorProblems() },
      },
    },
    async (request) => {
      const previews = await operators.previews(callers.of(request)?.previewsOf);
      return { previews: previews.map((preview) => previewBody(preview, publicUrl)) };
    },
  );
  app.get(
    '/admin/v1/previews/:preview',
    {
      config: { previews: true },
      schema: {
        tags,
        operationId: 'showPreview',
        summary: 'How a preview does',
        params: PreviewParams,
        querystring: NoQuery,
        response: { 200: PreviewBody, ...operatorProblems('unknown_preview') },
      },
    },
    async (request) =>
      previewBody(await operators.preview(request.params.preview, callers.of(request)?.previewsOf), publicUrl),
  );
}

function changeRoutes(app: App, operators: PreviewOperators, { callers, publicUrl }: Context): void {
  app.put(
    '/admin/v1/previews/:preview',
    {
      config: { audit: 'preview.put', previews: true },
      schema: {
        tags,
        operationId: 'putPreview',
        summary: 'Offer a copy of a template with another image',
        description:
          'In place of an earlier one of the same name and template, whose ready instances are replaced; visits go ' +
          'on. Other servers and workers follow within seconds. It ends by itself.',
        params: NewPreviewParams,
        body: NewPreviewBody,
        response: {
          200: PreviewBody,
          ...operatorProblems('unknown_template', 'preview_not_allowed', 'preview_name_taken', 'preview_limit'),
        },
      },
    },
    async (request) => {
      const { from, image, title, ends_at: endsAt, for_seconds: seconds } = request.body;
      const { who = 'nobody', previewsOf = from } = callers.of(request) ?? {};
      if (previewsOf !== from)
        throw new TryItNowError(
          'role_too_low',
          `You are ${who}, whose key is for previews of the template ${previewsOf} alone; nothing was done`,
        );
      const preview = await operators.putPreview(request.params.preview, {
        ...{ from, image, title, by: who },
        endsAtMs: endsAt === undefined ? undefined : requestedMs('ends_at', endsAt),
        forMs: seconds === undefined ? undefined : seconds * 1_000,
      });
      return previewBody(preview, publicUrl);
    },
  );
  app.delete(
    '/admin/v1/previews/:preview',
    {
      config: { audit: 'preview.remove', previews: true },
      schema: {
        tags,
        operationId: 'removePreview',
        summary: 'End a preview before its time',
        description: 'Nobody gets one any more; visits go on, and nothing of it is left once they have ended.',
        params: PreviewParams,
        response: {
          204: { type: 'null', description: 'It is not offered any more.' },
          ...operatorProblems('unknown_preview'),
        },
      },
    },
    async (request, reply) => {
      await operators.removePreview(request.params.preview, callers.of(request)?.previewsOf);
      reply.code(204);
      return null;
    },
  );
}

function previewBody(preview: PreviewSnapshot, publicUrl: string) {
  const { name, from, image, title, state, why, ready, visitors, by, createdAtMs, putAtMs, endsAtMs } = preview;
  return {
    ...{ name, from, image, title, state, why: why ?? null, ready, visitors },
    ...{ created: isoTime(createdAtMs), put: isoTime(putAtMs), ends: isoTime(endsAtMs), by: by ?? null },
    url: `${publicUrl}/try/${name}`,
    badge: `${publicUrl}/badge/${name}.svg`,
  };
}
