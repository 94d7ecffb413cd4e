import Type from 'typebox';
import { INSTANCE_ID_PATTERN, VISIT_NAME_PATTERN } from '../../domain/ids.ts';
import { SIZE_BOUNDS, SIZE_REASONS } from '../../domain/pool-size.ts';
import { INSTANCE_STATES } from '../../domain/lifecycle.ts';
import { VISIT_STEPS } from '../../domain/visit-event.ts';
import { POOL_MODES } from '../../pool/interfaces/pool-controls.ts';
import { PURGE_TARGETS } from '../../pool/interfaces/queue-admin.ts';

const Count = (description: string) => Type.Integer({ minimum: 0, description });
const Nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const Time = (description: string) => Type.String({ format: 'date-time', description });
const MONTH_SECONDS = 30 * 24 * 3600;

/** Visitors see it, and terminals print it: no control characters. */
const Reason = Type.String({
  minLength: 1,
  maxLength: 200,
  pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]*$',
  description: 'Why, in words for visitors: the start page shows it.',
});

export const TemplateParams = Type.Object({ template: Type.String({ description: 'Its name in the catalogue.' }) });
export const EmptyBody = Type.Object({}, { additionalProperties: false });
export const PauseBody = Type.Object({ reason: Type.Optional(Reason) }, { additionalProperties: false });
export const DrainBody = Type.Object(
  {
    within_seconds: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: MONTH_SECONDS,
        description: 'Until what visitors hold is ended; without it, it runs out by itself.',
      }),
    ),
    reason: Type.Optional(Reason),
  },
  { additionalProperties: false },
);
export const TargetBody = Type.Object(
  {
    target: Nullable(Type.Integer({ minimum: 0, maximum: 10_000, description: 'At most the capacity.' })),
    for_seconds: Type.Optional(
      Type.Integer({
        minimum: 60,
        maximum: MONTH_SECONDS,
        description: 'Only for so long; without it, until changed.',
      }),
    ),
  },
  { additionalProperties: false },
);

const PoolSizeBody = Type.Object(
  {
    target: Count('How many should be ready, if no operator wants another number.'),
    need: Count('How many would be needed, whatever the bounds.'),
    reason: Type.Enum([...SIZE_REASONS]),
    bound: Nullable(Type.Enum([...SIZE_BOUNDS], { description: 'What keeps the target below the need.' })),
    why: Type.String({ description: 'The same in words.' }),
    clicks_per_minute: Type.Number({ description: 'Of the last ten minutes.' }),
    start_seconds: Type.Number({ description: 'How long a start takes, as measured.' }),
    last_week: Count('What it would take for the clicks of a week ago at this time.'),
  },
  { description: 'What a pool that sizes itself decided last; null for one of a fixed size.' },
);

export const PoolBody = Type.Object(
  {
    template: Type.String(),
    mode: Type.Enum([...POOL_MODES], {
      description: '`open`; `paused`: nothing is handed out; `draining`: and the idle instances are removed.',
    }),
    since: Nullable(Time('When it was paused or drained.')),
    deadline: Nullable(Time('When what visitors still hold is ended.')),
    reason: Nullable(Type.String()),
    ready: Count('Warm and waiting for a visitor.'),
    assigned: Count('Held by a visitor; during a drain, how many are left.'),
    warming: Count('Being prepared.'),
    leaving: Count('Being taken down, or set aside because that keeps failing.'),
    waiting: Count('Visitors who wait for one.'),
    target: Count('How many should be ready, as set by an operator or configured.'),
    configured_target: Count('How many the configuration asks for; of a pool that sizes itself, the least.'),
    operator_target: Nullable(Count('How many an operator wants instead.')),
    operator_target_until: Nullable(Time('When that ends by itself.')),
    size: Nullable(PoolSizeBody),
    capacity: Count('How many may exist at once, in whatever state.'),
    breaker: Type.Object({
      open: Type.Boolean({
        description: 'Too many provisions failed in a row: one at a time is tried, after a pause.',
      }),
      failures: Count('In a row.'),
      retry_in_seconds: Count('Until the next try.'),
    }),
  },
  { description: 'The pool as it is now.' },
);

export const PoolsBody = Type.Object(
  { pools: Type.Array(PoolBody) },
  { description: 'In the order of the catalogue.' },
);

const Text = Type.String();
const TextOrNull = Nullable(Text);
/** A number, but query strings are text: its bounds are told when it is read. */
const Limit = Type.Optional(Type.String({ description: 'At most so many.' }));

export const NoQuery = Type.Object({}, { additionalProperties: false });
export const LimitQuery = Type.Object({ limit: Limit }, { additionalProperties: false });
export const LogsQuery = Type.Object({ tail: Limit }, { additionalProperties: false });
export const SequenceParams = Type.Object({ sequence: Type.String({ description: 'As listed.' }) });

/** Wherever there is an id. */
const ID_OR_NAME =
  "For who may only look the name of its visit stands here: the first 24 hexadecimal digits of the id's SHA-256, " +
  'which opens nothing at the public API.';
export const InstanceParams = Type.Object({
  id: Type.String({
    pattern: `${INSTANCE_ID_PATTERN}|${VISIT_NAME_PATTERN}`,
    description: 'Its id, or the name of its visit.',
  }),
});
export const InstanceQuery = Type.Object(
  {
    template: Type.Optional(Text),
    state: Type.Optional(Type.Enum([...INSTANCE_STATES])),
    node: Type.Optional(Text),
  },
  { additionalProperties: false },
);
export const InstanceSnapshotBody = Type.Object({
  id: Type.String({ description: `Governs it, at the public API too. ${ID_OR_NAME}` }),
  template: Text,
  state: Type.Enum([...INSTANCE_STATES]),
  node: Type.String({ description: 'The host that holds its container.' }),
  container: Text,
  port: Nullable(Type.Integer({ description: 'On the node; null before it has one, and after it was given back.' })),
  created_at: Time('When its preparation began.'),
  expires_at: Nullable(Time("When its visitor's time is up.")),
  client: Nullable(Type.String({ description: 'The address it was handed to, IPv6 as its /64.' })),
  url: Nullable(Type.String({ description: 'Where it answers; null while its name does not resolve.' })),
  quarantine_reason: TextOrNull,
  frame_refusal: Nullable(
    Type.String({
      description: 'Why its visitor gets it in a tab of its own, without the bar; null where a frame does.',
    }),
  ),
  failures: Count('Cleanups that failed.'),
});
export const InstancesBody = Type.Object(
  { instances: Type.Array(InstanceSnapshotBody) },
  { description: 'Oldest first.' },
);

const task = {
  sequence: Type.Integer({ minimum: 1 }),
  kind: Type.Enum(['provision', 'cleanup']),
  id: Nullable(Type.String({ description: `Of its instance. ${ID_OR_NAME}` })),
  template: TextOrNull,
};
export const TaskBody = Type.Object(
  { ...task, node: TextOrNull, queued_at: Time('When it was queued.') },
  { description: 'A task; what cannot be read of it, or what its kind does not have, is null.' },
);
export const TasksBody = Type.Object({ tasks: Type.Array(TaskBody) }, { description: 'Oldest first.' });
const FailureBody = Type.Object(
  {
    instance: Type.String({ description: `The id of the instance that it was to be. ${ID_OR_NAME}` }),
    template: Text,
    node: Text,
    at: Time('When the attempt failed.'),
    code: Type.String({ description: 'Of the error catalogue.' }),
    reason: Type.String({ description: 'What happened.' }),
    remedy: Type.String({ description: 'What to do about it.' }),
    exit_code: Nullable(Type.Integer({ description: 'Null while its container ran.' })),
    signal: Nullable(Type.String({ description: 'What ended it, such as SIGKILL.' })),
    output: Type.String({ description: 'The end of what the app wrote, at most 4,000 characters.' }),
  },
  { description: 'Why an attempt at an instance failed.' },
);
export const FailuresBody = Type.Object(
  { failures: Type.Array(FailureBody), unready: Nullable(FailureBody) },
  { description: 'The last five of the template, the newest first.' },
);
export const DeadTaskBody = Type.Object(
  {
    ...task,
    reason: Type.String({ description: 'Why it was dead-lettered.' }),
    failure: Nullable(FailureBody),
    attempts: Count('Deliveries, the last one included.'),
    queued_at: Time('When it was queued.'),
    died_at: Time('When it was dead-lettered.'),
  },
  { description: 'A dead-lettered task.' },
);
export const DeadBody = Type.Object({ dead: Type.Array(DeadTaskBody) }, { description: 'Oldest first.' });
export const RetriedBody = Type.Object({ retried: Count('Queued again.') }, { description: 'Done.' });
export const PurgeBody = Type.Object({ which: Type.Enum([...PURGE_TARGETS]) }, { additionalProperties: false });
export const PurgedBody = Type.Object({ purged: Count('Discarded.') }, { description: 'Done.' });
export const QueueBody = Type.Object(
  {
    stream: Type.Object({
      messages: Count('Tasks that are not done yet.'),
      bytes: Count('On disk.'),
      oldest_at: Nullable(Time('When the oldest was queued.')),
    }),
    consumers: Type.Array(
      Type.Object({
        name: Text,
        pending: Count('Waiting for their first delivery.'),
        in_flight: Count('Handed out: being worked on, or waiting out the pause before their next attempt.'),
        redelivered: Count('Of those in flight, handed out more than once.'),
        waiting_pulls: Count(
          'Requests for a task that wait right now: one of each process while nothing comes, more while tasks come.',
        ),
      }),
    ),
    dead: Type.Object({ messages: Count('Dead-lettered tasks.') }),
  },
  { description: 'The queue right now.' },
);

export const WebhookParams = Type.Object({ webhook: Type.String({ description: 'Its name in WEBHOOKS_FILE.' }) });
export const WebhooksBody = Type.Object(
  {
    outbox: Type.Object({
      waiting: Count('Changes of visits that NATS does not have yet.'),
      dropped: Count('Events that there was no room for while NATS was away.'),
      oldest_at: Nullable(Time('When the oldest that waits happened.')),
    }),
    webhooks: Type.Array(
      Type.Object({
        name: Text,
        origin: Type.String({ description: 'Scheme and host of its address.' }),
        events: Type.Array(Type.String(), { description: 'The types it is told of.' }),
        pending: Nullable(Count('Events that it has not had; null before a server has made its place.')),
        dead: Count('Events that it did not take for too long.'),
        lost: Count('Events that were discarded, ever, before it had them: there were too many, or they were too old.'),
        lost_at: Nullable(Time('When the last of those were found to be.')),
        delivered_at: Nullable(Time('When it last took one.')),
        failed_at: Nullable(Time('When it last refused one.')),
        failure: Nullable(Type.String({ description: 'Why, then.' })),
        failures_in_a_row: Count('Since it last took one.'),
      }),
    ),
  },
  { description: 'Those that are configured.' },
);
export const DeadEventsBody = Type.Object(
  {
    dead: Type.Array(
      Type.Object({
        sequence: Count('In the stream of dead events.'),
        webhook: Text,
        id: Nullable(Type.String({ description: 'Null for one that cannot be read.' })),
        type: Nullable(Text),
        visit: Nullable(Text),
        reason: Text,
        attempts: Count('By the process that set it aside.'),
        died_at: Nullable(Time('When it was set aside.')),
      }),
    ),
  },
  { description: 'Oldest first.' },
);
export const WebhookTestBody = Type.Object(
  {
    taken: Type.Boolean(),
    status: Nullable(Count('What it answered when it took it.')),
    reason: Nullable(Type.String({ description: 'Why not.' })),
    took_ms: Count('How long it took.'),
  },
  { description: 'What came of it.' },
);
export const ReplayBody = Type.Object(
  {
    within_seconds: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 7 * 24 * 3600,
        description: 'What happened in so many seconds up to now; without it, what is dead.',
      }),
    ),
  },
  { additionalProperties: false },
);

export const DaysQuery = Type.Object(
  { days: Type.Optional(Type.String({ description: '1 to 90, today included.' })) },
  { additionalProperties: false },
);
export const FunnelBody = Type.Object(
  {
    days: Count('How many days the counts are of.'),
    rows: Type.Array(
      Type.Object({
        template: Text,
        site: Type.String({ description: 'A host of FUNNEL_SITES, `direct` or `other`.' }),
        steps: Type.Array(Type.Object({ step: Type.Enum([...VISIT_STEPS]), count: Count('How often.') }), {
          description: 'Every step, in the order of a visit.',
        }),
        ended_by: Type.Record(Type.String(), Count('Visits.'), { description: 'The ends, by their reason.' }),
      }),
    ),
  },
  { description: 'Templates and sites that somebody clicked for.' },
);

export const AuditBody = Type.Object(
  {
    entries: Type.Array(
      Type.Object({
        at: Time("By the store's clock."),
        who: Type.String({
          description:
            '`key:` and the first 8 hex digits of the SHA-256 of the key that was sent; `nobody` without one.',
        }),
        action: Type.String({ description: 'Its name, then what tells one call of it from another.' }),
        on: Text,
        outcome: Type.String({ description: '`done`, or the code of the refusal.' }),
      }),
    ),
  },
  { description: 'Newest first.' },
);
