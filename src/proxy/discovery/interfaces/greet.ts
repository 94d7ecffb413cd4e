/** Connects to an instance, and waits for a sign that it runs. */
export type Greet = (
  upstream: { readonly address: string; readonly port: number },
  timeoutMs: number,
) => Promise<'reacts' | 'closes' | 'refuses' | 'silent' | 'unreachable' | 'unknown'>;
