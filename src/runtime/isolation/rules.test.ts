import { describe, expect, it } from 'vitest';
import { networkPlan } from './network-plan.ts';
import { ipv4Rules, ipv6Rules, removeInput, restoreInput } from './rules.ts';

const plan = networkPlan('podman', 'shop');

describe('the network plan', () => {
  it("fits the kernel's and iptables' limits on names, and is the same every time", () => {
    const longest = networkPlan('docker', 'a'.repeat(32));
    for (const { bridge } of [longest.closed, longest.open]) expect(bridge.length).toBeLessThanOrEqual(15);
    for (const chain of Object.values(longest.chains)) expect(chain.length).toBeLessThanOrEqual(28);
    expect(networkPlan('podman', 'shop')).toEqual(plan);
  });

  it('shares no name between deployments, engines or the two networks', () => {
    const plans = [
      plan,
      networkPlan('docker', 'shop'),
      networkPlan('podman', 'egress-shop'),
      networkPlan('podman', 'shop-egress'),
    ];
    const bridges = plans.flatMap(({ closed, open }) => [closed.bridge, open.bridge]);
    expect(new Set(bridges).size).toBe(bridges.length);
    const names = plans.filter((_, index) => index !== 1).flatMap(({ closed, open }) => [closed.name, open.name]);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('the rules', () => {
  it("concern no interface but the deployment's own bridges", () => {
    for (const rules of [ipv4Rules(plan, ['192.0.2.53']), ipv6Rules(plan)]) {
      for (const { match } of rules.hooks)
        expect(match).toMatch(new RegExp(`^-[io] (${plan.closed.bridge}|${plan.open.bridge})$`));
    }
  });

  it('let only answers out of the closed network', () => {
    expect(ipv4Rules(plan, ['192.0.2.53']).chains.get(plan.chains.closed)).toEqual([
      `-i ${plan.closed.bridge} -o ${plan.closed.bridge} -j DROP`,
      '-m conntrack --ctstate ESTABLISHED -j RETURN',
      '-p icmp -m conntrack --ctstate RELATED -j RETURN',
      `-o ${plan.closed.bridge} -j DROP`,
      '-j DROP',
    ]);
  });

  it('let name lookups through before private ranges are shut, and nothing else to the name server', () => {
    const open = ipv4Rules(plan, ['10.0.0.53']).chains.get(plan.chains.open) ?? [];
    const lookups = open.filter((line) => line.includes('10.0.0.53'));
    expect(lookups).toEqual(['-d 10.0.0.53 -p udp --dport 53 -j RETURN', '-d 10.0.0.53 -p tcp --dport 53 -j RETURN']);
    expect(open.indexOf('-d 10.0.0.0/8 -j DROP')).toBeGreaterThan(open.indexOf(lookups[1] ?? ''));
    expect(open).toContain('-d 169.254.0.0/16 -j DROP');
  });

  it('are made from nothing, and again without a second hook', () => {
    const rules = ipv4Rules(plan, []);
    const hook = `FORWARD 1 -i ${plan.closed.bridge} -j ${plan.chains.closed}`;
    expect(restoreInput(rules, ['-P FORWARD ACCEPT'])).toContain(`-I ${hook}\n`);
    const present = rules.hooks.map(({ parent, match, chain }) => `-A ${parent} ${match} -j ${chain}`);
    const again = restoreInput(rules, present);
    expect(again).not.toContain('-I ');
    expect(again).toContain(`:${plan.chains.closed} - [0:0]\n`);
  });

  it("go without touching anybody else's", () => {
    const rules = ipv4Rules(plan, []);
    const foreign = [
      '-N TIN-ffffffff-CLOSED',
      '-A FORWARD -i tin-ffffffff-c -j TIN-ffffffff-CLOSED',
      '-A FORWARD -j DOCKER',
    ];
    expect(removeInput(rules, foreign)).toBeUndefined();
    const { closed } = plan.chains;
    const jump = `FORWARD -i ${plan.closed.bridge} -j ${closed}`;
    expect(removeInput(rules, [...foreign, `-N ${closed}`, `-A ${jump}`, `-A ${jump}`])).toBe(
      `*mangle\n-D ${jump}\n-D ${jump}\n-F ${closed}\n-X ${closed}\nCOMMIT\n`,
    );
  });
});
