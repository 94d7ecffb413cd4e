/**
 * The life of an instance. The store's scripts enforce exactly these edges; `gone` is the absence of a record.
 *
 *   warming ──► ready ──► assigned ──► releasing ──► gone
 *      │          │                      ▲   │ ▲
 *      └──────────┴──────────────────────┘   ▼ │
 *   (failed)  (too old, unhealthy)      quarantined
 *
 * `warming → releasing` is a failed provision: it is undone by the one cleanup saga instead of by a second, lesser one.
 */
export const INSTANCE_STATES = ['warming', 'ready', 'assigned', 'releasing', 'quarantined'] as const;
export type InstanceState = (typeof INSTANCE_STATES)[number];

const TRANSITIONS: Readonly<Record<InstanceState, readonly (InstanceState | 'gone')[]>> = {
  warming: ['ready', 'releasing'],
  ready: ['assigned', 'releasing'],
  assigned: ['releasing'],
  releasing: ['gone', 'quarantined'],
  quarantined: ['releasing'],
};

export function canMove(from: InstanceState, to: InstanceState | 'gone'): boolean {
  return TRANSITIONS[from].includes(to);
}
