import Type from 'typebox';
import { IMAGE_STATES } from '../../domain/image-update.ts';

const Nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const Time = (description: string) => Type.String({ format: 'date-time', description });
const Found = {
  id: Type.String({ description: "The engine's id, which is made of the content." }),
  digest: Nullable(Type.String({ description: 'In its registry; null for one that was built or loaded.' })),
};

export const ImageParams = Type.Object({
  image: Type.String({ description: "Its name as listed, or a template's, whose own image is meant then." }),
});
export const HoldImageBody = Type.Object(
  { reason: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })) },
  { additionalProperties: false },
);

export const ImageBody = Type.Object(
  {
    image: Type.String(),
    templates: Type.Array(Type.String(), { description: 'That have a container of it.' }),
    state: Type.Enum([...IMAGE_STATES], {
      description:
        '`unchecked`: what its name leads to goes to visitors as it is; `unknown`: no server has had it so far; ' +
        '`current`; `asked`: about to be looked for; `trying`; `refused`: a new one failed, the one before stays; ' +
        '`held` by an operator.',
    }),
    checks: Type.Array(Type.String(), { description: 'When it is looked for: `manual`, a time, or cron in UTC.' }),
    serves: Nullable(Type.Object({ ...Found, node: Type.String() }, { description: 'What visitors get.' })),
    former: Nullable(
      Type.Object({ ...Found, until: Time('When another took its place.') }, { description: 'The way back.' }),
    ),
    trying: Nullable(
      Type.Object({
        id: Nullable(Type.String({ description: 'Null while it is fetched.' })),
        node: Type.String(),
        step: Type.String(),
        since: Time('When that began.'),
      }),
    ),
    refused: Nullable(
      Type.Object({
        ...Found,
        why: Type.Enum(['failed', 'rolled_back']),
        reason: Type.String(),
        node: Type.String(),
        at: Time('When.'),
      }),
    ),
    held: Nullable(Type.Object({ since: Time('When.'), reason: Nullable(Type.String()) })),
    checked_at: Nullable(Time('When its registry was asked last.')),
    problem: Nullable(
      Type.Object(
        {
          reason: Type.String(),
          since: Time('Since when.'),
          untried: Type.Boolean({ description: 'A new one is there, and something else keeps it from being tried.' }),
        },
        { description: 'Why nobody can say whether there is a new one, or whether that is sound.' },
      ),
    ),
    next_check_at: Nullable(Time('Null: when somebody asks.')),
    obstacle: Nullable(Type.String({ description: 'Why no host looks for new ones, or tries them.' })),
  },
  { description: 'The image as it is now.' },
);
export const ImagesBody = Type.Object({ images: Type.Array(ImageBody) }, { description: 'By name.' });
