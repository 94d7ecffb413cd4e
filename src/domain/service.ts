import type { ProcessSettings } from './process-settings.ts';

/** When a service counts as ready, so that what comes after it is started. */
export type ServiceReadiness = { readonly timeoutMs: number } & (
  | { readonly kind: 'running' }
  /** Something listens at the port, on whichever address of the instance. */
  | { readonly kind: 'tcp'; readonly port: number }
  /** The command, run inside it, ends with exit code 0. */
  | { readonly kind: 'exec'; readonly command: readonly string[] }
);

/** A further container of each instance, in the same network namespace: a database, a cache. */
export interface Service {
  /** Its host name, as the app and the other services see it. */
  readonly name: string;
  readonly image: string;
  readonly env: Readonly<Record<string, string>>;
  readonly process: ProcessSettings;
  readonly limits: { readonly memoryBytes: number; readonly cpus: number; readonly pids: number };
  readonly capabilities: readonly string[];
  readonly readiness: ServiceReadiness;
}
