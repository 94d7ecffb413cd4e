import type { TestHost } from './test-hosts.ts';

/** Every host has all of its ports to itself. */
export const PORTS = {
  api: 8080,
  proxy: 8000,
  balancer: 8090,
  nats: 4222,
  natsMonitor: 8222,
  natsCluster: 6222,
  valkey: 6379,
  sentinel: 26_379,
  instances: { start: 20_000, end: 20_099 },
} as const;

/** What Sentinels call the primary. */
export const MASTER = 'try-it-now';

/** What may run on a host; all that a fleet has of one part are alike. */
export type Part = 'valkey' | 'sentinel' | 'nats' | 'podman' | 'caddy' | 'balancer' | 'discovery' | 'worker' | 'server';

/** What is none of ours. */
export const BOUGHT_IN: readonly Part[] = ['valkey', 'sentinel', 'nats', 'podman', 'caddy', 'balancer'];

/** What the parts of one host have to know of the fleet. */
export interface Surroundings {
  readonly host: TestHost;
  /** In the order of the fleet. Several with Valkey are a primary, at first the first of them, and its replicas. */
  readonly hostsWith: (part: Part) => readonly TestHost[];
  readonly deployment: string;
  readonly env: Readonly<Record<string, string>>;
}
