import { createHash } from 'node:crypto';
import type { Egress } from '../../domain/egress.ts';

export interface InstanceNetwork {
  readonly name: string;
  /** The bridge's interface on the host; what the rules name. At most 15 characters, the kernel's limit. */
  readonly bridge: string;
  /** The chain of rules for what its instances send. At most 28 characters, the limit of iptables. */
  readonly chain: string;
  readonly egress: Egress | undefined;
  /** 16 bits to choose a subnet by, different for each network. */
  readonly seed: number;
}

/**
 * A deployment's networks and rule chains on one engine; the same names every time, so that any process
 * can ensure or remove them.
 */
export interface NetworkPlan {
  /** One for each thing that templates may say of egress. */
  readonly networks: readonly InstanceNetwork[];
  /** The chain for what instances send to the host. */
  readonly toHost: string;
  /** The chain that bounds how many connections an instance opens. */
  readonly flows: string;
}

export function networkPlan(engine: string, deployment: string): NetworkPlan {
  const digest = createHash('sha256').update(`${engine}/${deployment}`).digest();
  const short = digest.toString('hex').slice(0, 8);
  const network = (word: string, letter: string, at: number, egress: Egress | undefined): InstanceNetwork => ({
    // The word stands before the deployment's name: a deployment called "a-egress" must not meet the networks of "a".
    name: `try-it-now-${word}-${deployment}`,
    bridge: `tin-${short}-${letter}`,
    chain: `TIN-${short}-${word.toUpperCase()}`,
    egress,
    seed: digest.readUInt16BE(at),
  });
  return {
    networks: [
      network('closed', 'c', 4, undefined),
      network('egress', 'e', 6, { mail: false }),
      network('mail', 'm', 8, { mail: true }),
    ],
    toHost: `TIN-${short}-HOST`,
    flows: `TIN-${short}-FLOWS`,
  };
}

/** The network of the instances of a template. */
export function networkFor(plan: NetworkPlan, { egress }: { readonly egress: Egress | undefined }): InstanceNetwork {
  const found = plan.networks.find((network) => network.egress?.mail === egress?.mail);
  if (found === undefined) throw new Error('there is a network for whatever a template may say of egress');
  return found;
}
