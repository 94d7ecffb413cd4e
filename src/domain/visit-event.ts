import Type, { type Static, type TSchema } from 'typebox';
import { INSTANCE_ID_PATTERN } from './ids.ts';
import { Suspect } from './suspect.ts';

/** Raised when the shape changes; a payload of another version is set aside and counted, never guessed at. */
export const VISIT_EVENT_VERSION = 1;

/** What can become of a click, in its order; a bounded set, because it is a metric label. */
export const VISIT_STEPS = [
  'clicked',
  'refused',
  'waited',
  'gave_up',
  'handed_over',
  'first_page',
  'active',
  'extended',
  'ended',
  'call_to_action_clicked',
  'lead_given',
] as const;
export type VisitStep = (typeof VISIT_STEPS)[number];

/** The embedding site of a click from our own pages, or from a caller that names none. */
export const DIRECT_SITE = 'direct';
/** Stands for every site that is not in FUNNEL_SITES. */
export const OTHER_SITE = 'other';

const Millis = Type.Integer({ minimum: 0 });
const Name = Type.String({ maxLength: 260, pattern: '^[A-Za-z0-9._:-]+$' });
const Sequence = Type.Integer({ minimum: 1 });
const LEAD_TEXT = Type.String({ maxLength: 320 });
/** What a visitor told of themselves in the template's form: names of fields as the template spells them. */
const Lead = Type.Record(Type.String({ pattern: '^[a-z][a-z0-9_]{0,31}$' }), LEAD_TEXT);

/** Steps that pages tell of, each once in a visit. */
const NOTED_STEPS = ['first_page', 'active', 'call_to_action_clicked', 'lead_given'] as const;

const outboxBase = {
  v: Type.Literal(VISIT_EVENT_VERSION),
  id: Type.String({ pattern: INSTANCE_ID_PATTERN }),
  template: Type.String({ minLength: 1, maxLength: 64 }),
  site: Name,
  atMs: Millis,
  /** Of the visit's events, the first that the entry stands for. */
  sequence: Sequence,
};

/** `claimed` stands for several events, so that a click costs one entry. */
const VisitEntry = Type.Union([
  Type.Object({
    ...outboxBase,
    kind: Type.Literal('claimed'),
    deadlineMs: Millis,
    /** How long the visitor waited for it; absent when there was one at once. */
    waitedMs: Type.Optional(Millis),
    /** It took the place of one that was dead: nobody clicked again. */
    replacement: Type.Optional(Type.Boolean()),
  }),
  Type.Object({ ...outboxBase, kind: Type.Literal('extended'), deadlineMs: Millis }),
  Type.Object({ ...outboxBase, kind: Type.Literal('ended'), reason: Name, usedMs: Millis }),
  Type.Object({ ...outboxBase, kind: Type.Enum([...NOTED_STEPS]), lead: Type.Optional(Lead) }),
]);
export type VisitEntry = Static<typeof VisitEntry>;

const AboutImage = Type.Object({
  image: Type.String({ maxLength: 500 }),
  id: Type.String({ maxLength: 200 }),
  digest: Type.Optional(Type.String({ maxLength: 200 })),
  node: Name,
  /** Why it is refused. */
  reason: Type.Optional(Type.String({ maxLength: 2_000 })),
});

/** What came of the trial of a new image. */
const ImageEntry = Type.Object({
  v: Type.Literal(VISIT_EVENT_VERSION),
  kind: Type.Enum(['image_adopted', 'image_refused']),
  atMs: Millis,
  data: AboutImage,
});
export type ImageEntry = Static<typeof ImageEntry>;

/** A change as the store's scripts write it down in the step that makes it. */
export const OutboxEntry = Type.Union([VisitEntry, ImageEntry]);
export type OutboxEntry = Static<typeof OutboxEntry>;

const EventId = Type.String({ pattern: '^evt_[a-z0-9_-]{1,64}$' });

const eventBase = {
  v: Type.Literal(VISIT_EVENT_VERSION),
  /** The same in every delivery of it. */
  id: EventId,
  atMs: Millis,
  /** Names the visit and opens nothing: see `visitName`. */
  visit: Type.String({ pattern: '^[0-9a-f]{24}$' }),
  /** 1 for a visit's first event; the next one has the next number. */
  sequence: Sequence,
  template: outboxBase.template,
  site: Name,
};

const event = <T extends string, D extends Record<string, TSchema>>(type: T, data: D) =>
  Type.Object({ ...eventBase, type: Type.Literal(type), data: Type.Object(data) });

/** Somebody was found to take what others need: of no visit, and with an address in it. */
export const SuspectedEvent = Type.Object({
  v: Type.Literal(VISIT_EVENT_VERSION),
  id: EventId,
  atMs: Millis,
  type: Type.Literal('suspected'),
  data: Type.Object({ suspect: Suspect }),
});
export type SuspectedEvent = Static<typeof SuspectedEvent>;

const imageEvent = <T extends string>(type: T) =>
  Type.Object({
    v: Type.Literal(VISIT_EVENT_VERSION),
    id: EventId,
    atMs: Millis,
    type: Type.Literal(type),
    data: AboutImage,
  });

/** A new image has passed or failed its trial: of no visit. */
export const ImageEvent = Type.Union([imageEvent('image_adopted'), imageEvent('image_refused')]);
export type ImageEvent = Static<typeof ImageEvent>;

/** One thing that happened in a visit. */
export const VisitEvent = Type.Union([
  event('clicked', {}),
  event('waited', { waitedMs: Millis }),
  event('handed_over', { deadlineMs: Millis }),
  event('first_page', {}),
  event('active', {}),
  event('extended', { deadlineMs: Millis }),
  event('ended', { reason: Name, usedMs: Millis }),
  event('call_to_action_clicked', {}),
  event('lead_given', { lead: Lead }),
]);
export type VisitEvent = Static<typeof VisitEvent>;
export type VisitEventType = VisitEvent['type'];

/** One thing that happened, as it is kept in the stream of events. */
export const StreamEvent = Type.Union([VisitEvent, SuspectedEvent, ImageEvent]);
export type StreamEvent = Static<typeof StreamEvent>;
export type StreamEventType = StreamEvent['type'];

/** What a webhook is told of that asks for nothing in particular. */
export const VISIT_EVENT_TYPES = [
  'clicked',
  'waited',
  'handed_over',
  'first_page',
  'active',
  'extended',
  'ended',
  'call_to_action_clicked',
  'lead_given',
] as const satisfies readonly VisitEventType[];

/** What a webhook may ask for. */
export const EVENT_TYPES = [
  ...VISIT_EVENT_TYPES,
  'suspected',
  'image_adopted',
  'image_refused',
] as const satisfies readonly StreamEventType[];
