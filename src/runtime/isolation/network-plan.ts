import { createHash } from 'node:crypto';
import { EGRESS, type Egress } from '../../domain/egress.ts';
import type { Template } from '../../domain/template.ts';

export interface InstanceNetwork {
  readonly name: string;
  /** The bridge's interface on the host; what the rules name. At most 15 characters, the kernel's limit. */
  readonly bridge: string;
  /** The chain of rules for what its instances send. At most 28 characters, the limit of iptables. */
  readonly chain: string;
  readonly egress: Egress | undefined;
  /** The set of addresses that alone may be reached, of a network whose egress has an `allow`; called as its chain. */
  readonly allowed: string | undefined;
  /** 16 bits to choose a subnet by, different for each network. */
  readonly seed: number;
}

/**
 * A deployment's networks and rule chains on one engine; the same names every time, so that any process
 * can ensure or remove them.
 */
export interface NetworkPlan {
  readonly deployment: string;
  /** All chains and sets begin with it. */
  readonly prefix: string;
  /**
   * One for each thing that templates may say of egress, and one for each template that says where to: a change of that
   * holds at once then, for instances that run as well.
   */
  readonly networks: readonly InstanceNetwork[];
  /** The chain for what instances send to the host. */
  readonly toHost: string;
  /** The chain that bounds how many connections an instance opens. */
  readonly flows: string;
  /** The chain for what others send to published ports. */
  readonly published: string;
}

type Customer = Pick<Template, 'name' | 'egress'>;

/** Without `templates`, only the networks that they share. */
export function networkPlan(engine: string, deployment: string, templates: readonly Customer[] = []): NetworkPlan {
  const digest = createHash('sha256').update(`${engine}/${deployment}`).digest();
  const short = digest.toString('hex').slice(0, 8);
  const network = (word: string, letter: string, at: number, egress: Egress | undefined): InstanceNetwork => ({
    // The word stands before the deployment's name: a deployment called "a-egress" must not meet the networks of "a".
    name: `try-it-now-${word}-${deployment}`,
    bridge: `tin-${short}-${letter}`,
    chain: `TIN-${short}-${word.toUpperCase()}`,
    egress,
    allowed: undefined,
    seed: digest.readUInt16BE(at),
  });
  const shared: NetworkPlan = {
    deployment,
    prefix: `TIN-${short}-`,
    networks: [
      network('closed', 'c', 4, undefined),
      network('egress', 'e', 6, EGRESS),
      network('mail', 'm', 8, { ...EGRESS, mail: true }),
    ],
    toHost: `TIN-${short}-HOST`,
    flows: `TIN-${short}-FLOWS`,
    published: `TIN-${short}-PORTS`,
  };
  const own = templates
    .filter(({ egress }) => egress?.allow !== undefined)
    .map((template) => networkFor(shared, template));
  return { ...shared, networks: [...shared.networks, ...own] };
}

/** The network of the instances of a template. */
export function networkFor(plan: NetworkPlan, { name, egress }: Customer): InstanceNetwork {
  if (egress?.allow !== undefined) {
    const digest = createHash('sha256').update(`${plan.prefix}${name}`).digest('hex').slice(0, OWN_DIGITS);
    return ownNetwork(plan, digest, egress);
  }
  const found = plan.networks.find(({ egress: has, allowed }) => allowed === undefined && has?.mail === egress?.mail);
  if (found === undefined) throw new Error('there is a network for whatever a template may say of egress');
  return found;
}

/** One that this deployment may have made, also for a template that is not offered any more. */
export function networkNamed(plan: NetworkPlan, name: string): InstanceNetwork | undefined {
  const [, digest] = /^try-it-now-allow-([0-9a-f]{11})-/.exec(name) ?? [];
  return digest === undefined
    ? plan.networks.find((network) => network.name === name)
    : ownNetwork(plan, digest, { ...EGRESS, allow: [] });
}

/** As many as a bridge's name has room for. */
const OWN_DIGITS = 11;
/** What matches the bridge of a template's own network. */
export const OWN_BRIDGE = `tia-[0-9a-f]{${OWN_DIGITS}}`;

/** The name of the network that a chain or a set of this name is of; undefined for one that templates share. */
export function ownNetworkOf({ deployment, prefix }: NetworkPlan, chain: string): string | undefined {
  const digest = chain.startsWith(prefix) ? chain.slice(prefix.length) : '';
  return /^[0-9a-f]{11}$/.test(digest) ? ownName(digest, deployment) : undefined;
}

function ownName(digest: string, deployment: string): string {
  return `try-it-now-allow-${digest}-${deployment}`;
}

function ownNetwork({ deployment, prefix }: NetworkPlan, digest: string, egress: Egress): InstanceNetwork {
  const chain = `${prefix}${digest}`;
  return {
    name: ownName(digest, deployment),
    bridge: `tia-${digest}`,
    chain,
    egress,
    allowed: chain,
    seed: Number.parseInt(digest.slice(0, 4), 16),
  };
}
