import Type from 'typebox';
import { WAIT_REASONS } from '../../domain/waiting-time.ts';
import { AcquireBody } from './demo.ts';

/** The template, and what only who waits knows. */
const PLACE = '^[a-z0-9._-]{1,64}\\.[\\w-]{22}$';
const PlaceToken = Type.String({
  pattern: PLACE,
  description: 'Anyone who knows it can take the instance, or give the place up; keep it secret.',
});

export const PlaceParams = Type.Object({ place: PlaceToken });

export const WaitBody = Type.Object(
  {
    ...AcquireBody.properties,
    place: Type.Optional(
      Type.String({
        pattern: PLACE,
        description:
          'From an earlier answer, to ask again without losing the place; or of your own making: the template, a dot ' +
          'and 22 random characters of base64url, so that a POST whose answer is lost can be repeated.',
      }),
    ),
  },
  { additionalProperties: false },
);

export const WaitingBody = Type.Object(
  {
    state: Type.Enum(['waiting', 'turn'], {
      description: '`turn`: there is an instance for this place; take it with a POST within ten seconds.',
    }),
    place: PlaceToken,
    template: Type.String(),
    position: Type.Integer({ minimum: 1, description: '1 is the first. It only shrinks.' }),
    eta_seconds: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], {
      description:
        'Estimated from how fast instances came up lately; null while nothing is prepared (`reason` says why), or ' +
        'where none ever came up yet.',
    }),
    reason: Type.Enum([...WAIT_REASONS], {
      description:
        'What is waited for: `preparing`, `failing` (the last starts failed), `full` (for a visit to end: the time ' +
        'is the latest), `off` or `paused` (by the operators).',
    }),
    waited_seconds: Type.Integer({ minimum: 0 }),
    ask_again_seconds: Type.Integer({ minimum: 1, description: 'For who polls; a place is kept for 20 s.' }),
  },
  { description: 'A place among those who wait, first come, first served.' },
);
