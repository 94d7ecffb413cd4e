import Type from 'typebox';
import { INSTANCE_ID_PATTERN } from '../../domain/ids.ts';

const Id = Type.String({
  pattern: INSTANCE_ID_PATTERN,
  description: 'Anyone who knows it controls the instance; keep it secret.',
});
const Url = Type.String({
  format: 'uri',
  description:
    'Open this: the instance answers here at once. The one that acquire answers may sign its visitor in, once.',
});
const ExpiresAt = Type.String({
  format: 'date-time',
  description: "When the instance ends (RFC 3339, by the server's clock).",
});
const TtlSeconds = Type.Integer({ minimum: 0, description: 'Seconds left at the time of the answer.' });
const TemplateName = Type.String({ description: 'Which app it runs.' });

export const InstanceParams = Type.Object({ id: Id });

export const AcquireBody = Type.Object(
  {
    template: Type.Optional(
      Type.String({ minLength: 1, maxLength: 64, description: 'Which app; without it the first of the catalogue.' }),
    ),
    open: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 1000,
        description: "Where the visitor lands: the template's `open.default`, or a path that its `open.allow` names.",
      }),
    ),
    altcha: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 2_000,
        description: 'The solution of the challenge that `challenge_required` came with, as ALTCHA encodes it.',
      }),
    ),
  },
  {
    additionalProperties: false,
    description: 'Optional: no body, an empty one and {} all ask for the default template.',
  },
);

export const AcquireHeaders = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      pattern: '^[\\x20-\\x7e]{1,255}$',
      description:
        'The same key again from the same client answers the same instance for as long as it runs. 1 to 255 ' +
        'printable ASCII characters.',
    }),
  ),
});

export const CountdownQuery = Type.Object({
  token: Type.Optional(
    Type.String({ maxLength: 64, description: 'From `countdown_url`: in place of the API key, for this alone.' }),
  ),
});

export const AcquiredBody = Type.Object(
  {
    id: Id,
    url: Url,
    template: TemplateName,
    expires_at: ExpiresAt,
    ttl_seconds: TtlSeconds,
    countdown_url: Type.String({
      format: 'uri',
      description:
        'Server-Sent Events of the time left, for a browser to open without the API key. It holds for the longest ' +
        'that the visit may last, and lets nobody do anything else.',
    }),
  },
  { description: 'The instance, running and yours.' },
);

export const InstanceBody = Type.Object(
  {
    id: Id,
    state: Type.Enum(['assigned', 'releasing'], {
      description: '`assigned` while it is yours to use, `releasing` once it is being taken down.',
    }),
    url: Type.Optional(Url),
    template: TemplateName,
    expires_at: Type.Optional(ExpiresAt),
    ttl_seconds: TtlSeconds,
    unused_end_at: Type.Optional(
      Type.String({
        format: 'date-time',
        description: 'When it ends unless somebody uses it before; only of a template with `idle`.',
      }),
    ),
    seconds_until_unused_end: Type.Optional(Type.Integer({ minimum: 0 })),
  },
  { description: 'The instance as it is now.' },
);

export const ExtendBody = Type.Object(
  {
    minutes: Type.Integer({
      minimum: 1,
      maximum: 60,
      description: "How much longer; the template's longest stay bounds the sum.",
    }),
  },
  { additionalProperties: false },
);

export const ExtendedBody = Type.Object(
  { id: Id, expires_at: ExpiresAt, ttl_seconds: TtlSeconds },
  { description: 'How long it is yours now.' },
);
