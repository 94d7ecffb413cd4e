/** When work has to be proven. `auto`: while stock is low or demand unusual. */
export const GATE_MODES = ['auto', 'on', 'off'] as const;
export type GateMode = (typeof GATE_MODES)[number];
