import { createHash } from 'node:crypto';

export interface InstanceNetwork {
  readonly name: string;
  /** The bridge's interface on the host; what the rules name. At most 15 characters, the kernel's limit. */
  readonly bridge: string;
  readonly egress: boolean;
}

/**
 * A deployment's networks and rule chains on one engine; the same names every time, so that any process
 * can ensure or remove them.
 */
export interface NetworkPlan {
  readonly closed: InstanceNetwork;
  readonly open: InstanceNetwork;
  readonly chains: { readonly closed: string; readonly open: string; readonly toHost: string };
  /** Bytes to choose subnets by, different for each plan. */
  readonly seed: Uint8Array;
}

export function networkPlan(engine: string, deployment: string): NetworkPlan {
  const digest = createHash('sha256').update(`${engine}/${deployment}`).digest();
  const short = digest.toString('hex').slice(0, 8);
  return {
    // The word stands before the deployment's name: a deployment called "a-egress" must not meet the networks of "a".
    closed: { name: `try-it-now-closed-${deployment}`, bridge: `tin-${short}-c`, egress: false },
    open: { name: `try-it-now-egress-${deployment}`, bridge: `tin-${short}-e`, egress: true },
    chains: { closed: `TIN-${short}-CLOSED`, open: `TIN-${short}-EGRESS`, toHost: `TIN-${short}-HOST` },
    seed: digest.subarray(4),
  };
}
