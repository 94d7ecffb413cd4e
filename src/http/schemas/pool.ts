import Type from 'typebox';

const Count = (description: string) => Type.Integer({ minimum: 0, description });

const counts = {
  ready: Count('Warm and waiting for a visitor.'),
  assigned: Count('Held by a visitor.'),
  warming: Count('Being prepared.'),
  leaving: Count('Being taken down, or set aside because that keeps failing.'),
  waiting: Count('Visitors who wait for one.'),
  target: Count('How many should be ready.'),
  capacity: Count('How many may exist at once, in whatever state.'),
};

export const PoolStatsBody = Type.Object(
  {
    ...counts,
    templates: Type.Record(Type.String(), Type.Object(counts), {
      description: 'The same per template; the figures above are their sums.',
    }),
  },
  { description: 'The pool right now.' },
);

export const TemplatesBody = Type.Object(
  {
    templates: Type.Array(
      Type.Object({
        name: Type.String({ description: 'What an acquire takes as `template`.' }),
        title: Type.String(),
        description: Type.String(),
        default: Type.Boolean({ description: 'True for the one an acquire without `template` gets.' }),
        ends_at: Type.Optional(Type.String({ format: 'date-time', description: 'From then on nobody gets one.' })),
        ttl_seconds: Type.Integer({ description: 'How long an instance is yours at first.' }),
        export_file: Type.Optional(
          Type.String({ description: 'The name of the file that `GET /api/v1/demo/{id}/export` downloads.' }),
        ),
        max_ttl_seconds: Type.Integer({ description: 'How long it can be yours with every extension.' }),
      }),
    ),
  },
  { description: 'In the order of the catalogue.' },
);
