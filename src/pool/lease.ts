import { TryItNowError } from '../domain/errors.ts';
import type { Instance } from '../domain/instance.ts';
import type { ProvisioningStore } from './interfaces/provisioning-store.ts';

/** Several within the shortest lease, so that one slow answer of the store loses nothing. */
const RENEW_MS = 1_000;

export interface Lease extends AsyncDisposable {
  /** Aborted with `signal`, or when the attempt was superseded or taken away. */
  readonly signal: AbortSignal;
}

/**
 * Keeps an attempt's lease while it works. A store that does not answer is no reason to stop:
 * every later step is fenced.
 */
export function holdLease(
  { provisioningStore }: { readonly provisioningStore: Pick<ProvisioningStore, 'renewLease'> },
  instance: Instance,
  signal: AbortSignal,
): Lease {
  const lost = new AbortController();
  let renewal: Promise<void> | undefined;
  const renew = async (): Promise<void> => {
    const ours = await provisioningStore.renewLease(instance).catch(() => true);
    if (!ours)
      lost.abort(
        new TryItNowError(
          'conflicting_change',
          `instance ${instance.id} was taken away while it was being provisioned`,
        ),
      );
  };
  const timer = setInterval(() => {
    renewal ??= renew().finally(() => {
      renewal = undefined;
    });
  }, RENEW_MS);
  return {
    signal: AbortSignal.any([signal, lost.signal]),
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      await renewal;
    },
  };
}
