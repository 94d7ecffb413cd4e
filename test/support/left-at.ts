import { getEventListeners } from 'node:events';

/**
 * How many still follow a signal that outlives them: its listeners, and what AbortSignal.any has noted there, of which
 * Node 20 takes nothing out.
 */
export function leftAt(signal: AbortSignal): number {
  const noted = Object.getOwnPropertySymbols(signal)
    .filter(({ description }) => description === 'kDependantSignals')
    .map((symbol) => (signal as unknown as Record<symbol, ReadonlySet<unknown> | undefined>)[symbol]?.size ?? 0);
  return [getEventListeners(signal, 'abort').length, ...noted].reduce((sum, each) => sum + each);
}
