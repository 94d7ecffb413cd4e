import { TryItNowError } from '../domain/errors.ts';
import type { Instance } from '../domain/instance.ts';
import { eitherOf } from '../lifecycle/either-of.ts';
import type { PoolControls } from './interfaces/pool-controls.ts';
import type { ProvisioningStore } from './interfaces/provisioning-store.ts';

/** Several within the shortest lease, so that one slow answer of the store loses nothing. */
const RENEW_MS = 1_000;

export interface Lease extends AsyncDisposable {
  /** Aborted with `signal`, or when the attempt was superseded or taken away. */
  readonly signal: AbortSignal;
}

export interface LeaseDeps {
  readonly provisioningStore: Pick<ProvisioningStore, 'renewLease'>;
  readonly controls: Pick<PoolControls, 'read'>;
}

/** An operator has drained the pool, or scaled it to 0, while an attempt was under way. */
export class Unwanted extends TryItNowError {
  constructor(template: string) {
    super('conflicting_change', `no instance of template ${template} is wanted any more`);
  }
}

/** False once an operator has drained the pool, or scaled it to 0. */
export async function isWanted({ controls }: Pick<LeaseDeps, 'controls'>, template: string): Promise<boolean> {
  const control = (await controls.read([template])).get(template);
  return control?.mode !== 'draining' && control?.target !== 0;
}

/**
 * Keeps an attempt's lease while it works. A store that does not answer is no reason to stop:
 * every later step is fenced.
 */
export function holdLease(deps: LeaseDeps, instance: Instance, signal: AbortSignal): Lease {
  const lost = new AbortController();
  let renewal: Promise<void> | undefined;
  const renew = async (): Promise<void> => {
    const [ours, wanted] = await Promise.all([
      deps.provisioningStore.renewLease(instance).catch(() => true),
      isWanted(deps, instance.template).catch(() => true),
    ]);
    if (!wanted) lost.abort(new Unwanted(instance.template));
    if (!ours)
      lost.abort(
        new TryItNowError(
          'conflicting_change',
          `instance ${instance.id} was taken away while it was being provisioned`,
        ),
      );
  };
  const either = eitherOf(signal, lost.signal);
  const timer = setInterval(() => {
    renewal ??= renew().finally(() => {
      renewal = undefined;
    });
  }, RENEW_MS);
  return {
    signal: either.signal,
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      await renewal;
      either[Symbol.dispose]();
    },
  };
}
