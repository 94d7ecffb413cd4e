import Type from 'typebox';
import { CHECKPOINT_ARRIVALS } from '../../domain/checkpoint.ts';
import { NODE_MODES } from '../../domain/node.ts';

const Count = (description: string) => Type.Integer({ minimum: 0, description });
const Nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const Time = (description: string) => Type.String({ format: 'date-time', description });
const DAY_SECONDS = 24 * 3600;

export const NodeParams = Type.Object({ node: Type.String({ description: 'Its name, as listed.' }) });
export const NodeDrainBody = Type.Object(
  {
    within_seconds: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 30 * DAY_SECONDS,
        description: 'Until what is left there is ended; half an hour without it.',
      }),
    ),
  },
  { additionalProperties: false },
);
export const NodeRemoveQuery = Type.Object(
  {
    force: Type.Optional(
      Type.Enum(['true', 'false'], {
        description: '`true`: its instances are discarded, although nobody reaches them.',
      }),
    ),
  },
  { additionalProperties: false },
);

const Room = (what: string) =>
  Nullable(
    Type.Object(
      { total: Count('Bytes.'), available: Count('Bytes.') },
      { description: `${what}; null where it is not told.` },
    ),
  );

export const NodeBody = Type.Object(
  {
    name: Type.String(),
    state: Type.Enum([...NODE_MODES, 'drained'], {
      description:
        '`active`; `cordoned`: gets no new instances; `draining`: and is being emptied; `drained`: and is empty.',
    }),
    since: Nullable(Time('When it was cordoned or drained.')),
    deadline: Nullable(Time('When what is left on a drained node is ended.')),
    alive: Type.Boolean({ description: 'It said so within the last 12 s; what it said last is null otherwise.' }),
    heartbeat_age_seconds: Nullable(Type.Number({ minimum: 0 })),
    address: Nullable(Type.String({ description: 'Where the proxy reaches its instances.' })),
    engine: Nullable(Type.String()),
    version: Nullable(Type.String({ description: 'Of the program that runs there.' })),
    labels: Type.Array(Type.String(), { description: 'What templates may ask for with `nodes`.' }),
    instances: Type.Object({
      warming: Count('Being prepared, or on their way there.'),
      ready: Count('Waiting for a visitor.'),
      assigned: Count('Held by a visitor.'),
      leaving: Count('Being taken down.'),
    }),
    capacity: Nullable(Count('The most instances that it may hold; null: as many as it has ports.')),
    cpus: Nullable(Count('Processors.')),
    ports: Nullable(Count('Of its range.')),
    ports_free: Count('To be had at once.'),
    memory: Room('Of the host'),
    disk: Room('Of the disk that containers lie on'),
    disk_low: Type.Boolean({ description: 'Below its reserve, so that nothing is started there.' }),
    checkpoints: Type.Array(Type.String(), { description: 'On its disk.' }),
    arrivals: Type.Array(
      Type.Object({
        template: Type.String(),
        checkpoint: Type.String({ description: 'The promoted one.' }),
        state: Type.Enum([...CHECKPOINT_ARRIVALS], {
          description:
            '`here`: restored from it; `own`: restored from one made there in its place; `waiting`: no node has left ' +
            'it for others so far; `fetching`, `trying`, `making`: on its way; `refused`: started cold.',
        }),
        detail: Type.String({ description: 'How far it is, or why it is refused.' }),
      }),
      { description: 'How far it is with the promoted checkpoints.' },
    ),
    avoided: Type.Array(
      Type.Object({
        template: Type.String(),
        reason: Type.String(),
        // Servers of older versions do not say it.
        last_resort: Type.Optional(
          Type.Boolean({ description: 'It gets them all the same, as something speaks against every node.' }),
        ),
      }),
      { description: 'Templates that it gets no instances of while other nodes can make them, with the reason.' },
    ),
  },
  { description: 'The node as it is now.' },
);
export const NodesBody = Type.Object({ nodes: Type.Array(NodeBody) }, { description: 'By name.' });
export const NodeRemovedBody = Type.Object(
  { settled: Count('Instances that were discarded.') },
  { description: 'It is forgotten.' },
);
