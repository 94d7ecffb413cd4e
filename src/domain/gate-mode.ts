/** When work has to be proven. `auto`: while stock is low or demand unusual. */
export const GATE_MODES = ['auto', 'on', 'off'] as const;
/** Why the gate is raised: few are ready or somebody waits, far more are taken than usual, or it is set so. */
export const GATE_REASONS = ['stock', 'demand', 'always'] as const;
export type GateReason = (typeof GATE_REASONS)[number];

export type GateMode = (typeof GATE_MODES)[number];
