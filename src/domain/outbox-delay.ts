/** They are brought to NATS each half second, and within seconds after the server that did so has died. */
const LATE_MS = 30_000;

/** Whether changes of visits wait for NATS for longer than usual; undefined: none does. */
export function isOutboxLate(oldestAtMs: number | undefined, nowMs: number): boolean {
  return oldestAtMs !== undefined && nowMs - oldestAtMs > LATE_MS;
}
