/**
 * `EX_CONFIG` of sysexits.h: what the process ends with when its configuration is wrong. On its own, as every command
 * has it, and most load nothing else of the configuration.
 */
export const EXIT_CONFIG = 78;
