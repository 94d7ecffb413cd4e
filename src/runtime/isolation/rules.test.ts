import { describe, expect, it } from 'vitest';
import { EGRESS } from '../../domain/egress.ts';
import { flowLimits } from './flow-limits.ts';
import { networkFor, networkNamed, networkPlan, ownNetworkOf } from './network-plan.ts';
import { LOOPBACK } from './publishing.ts';
import { ipv4Rules, ipv6Rules, isPublishedAsMeant, removeInput, restoreInput } from './rules.ts';

const named = { name: 'shop' };
const plan = networkPlan('podman', 'shop');
const closed = networkFor(plan, { ...named, egress: undefined });
const open = networkFor(plan, { ...named, egress: EGRESS });
const mail = networkFor(plan, { ...named, egress: { ...EGRESS, mail: true } });

describe('the network plan', () => {
  it("fits the kernel's and iptables' limits on names, and is the same every time", () => {
    const longest = networkPlan('docker', 'a'.repeat(32));
    for (const { bridge, chain } of longest.networks) {
      expect(bridge.length).toBeLessThanOrEqual(15);
      expect(chain.length).toBeLessThanOrEqual(28);
    }
    for (const chain of [longest.toHost, longest.flows]) expect(chain.length).toBeLessThanOrEqual(28);
    expect(networkPlan('podman', 'shop')).toEqual(plan);
  });

  it('shares no name between deployments, engines or networks', () => {
    const plans = [
      plan,
      networkPlan('docker', 'shop'),
      networkPlan('podman', 'egress-shop'),
      networkPlan('podman', 'shop-egress'),
      networkPlan('podman', 'mail-shop'),
    ];
    const bridges = plans.flatMap(({ networks }) => networks.map(({ bridge }) => bridge));
    expect(new Set(bridges).size).toBe(bridges.length);
    const names = plans.filter((_, index) => index !== 1).flatMap(({ networks }) => networks.map(({ name }) => name));
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('the rules', () => {
  it("concern no interface but the deployment's own bridges", () => {
    for (const rules of [ipv4Rules(plan, ['192.0.2.53']), ipv6Rules(plan)]) {
      for (const { match } of rules.hooks)
        expect(match).toMatch(new RegExp(`^-[io] (${plan.networks.map(({ bridge }) => bridge).join('|')})$`));
    }
  });

  it('let only answers out of the closed network', () => {
    expect(ipv4Rules(plan, ['192.0.2.53']).chains.get(closed.chain)).toEqual([
      `-i ${closed.bridge} -o ${closed.bridge} -j DROP`,
      '-m conntrack --ctstate ESTABLISHED -j RETURN',
      '-p icmp -m conntrack --ctstate RELATED -j RETURN',
      `-o ${closed.bridge} -j DROP`,
      '-j DROP',
    ]);
  });

  it('let name lookups through before private ranges are shut, and nothing else to the name server', () => {
    const lines = ipv4Rules(plan, ['10.0.0.53']).chains.get(open.chain) ?? [];
    const lookups = lines.filter((line) => line.includes('10.0.0.53'));
    expect(lookups).toEqual([
      `-d 10.0.0.53 -p udp --dport 53 -g ${plan.flows}`,
      `-d 10.0.0.53 -p tcp --dport 53 -g ${plan.flows}`,
    ]);
    expect(lines.indexOf('-d 10.0.0.0/8 -j DROP')).toBeGreaterThan(lines.indexOf(lookups[1] ?? ''));
    expect(lines).toContain('-d 169.254.0.0/16 -j DROP');
  });

  it('close the ports of mail unless the template opens them', () => {
    const drop = '-p tcp -m multiport --dports 25,465,587 -j DROP';
    const { chains } = ipv4Rules(plan, []);
    expect(chains.get(open.chain)).toContain(drop);
    expect(chains.get(mail.chain)?.filter((line) => line !== drop)).toEqual(
      chains
        .get(open.chain)
        ?.filter((line) => line !== drop)
        .map((line) => line.replaceAll(open.bridge, mail.bridge)),
    );
    expect(chains.get(mail.chain)).not.toContain(drop);
  });

  it('let nothing out uncounted', () => {
    for (const { chain, bridge } of [open, mail]) {
      const lines = ipv4Rules(plan, ['192.0.2.53']).chains.get(chain) ?? [];
      const passing = lines.filter((line) => !line.endsWith('-j DROP'));
      expect(passing.filter((line) => !line.endsWith(` -g ${plan.flows}`))).toEqual([
        '-m conntrack --ctstate ESTABLISHED -j RETURN',
        '-p icmp -m conntrack --ctstate RELATED -j RETURN',
      ]);
      expect(lines.at(-1)).toBe('-j DROP');
      expect(lines[0]).toContain(bridge);
    }
  });

  it('let who may reach some names only there, and to the name server of the network', () => {
    const allow = [{ host: 'api.example.org', port: 443, protocol: 'tcp' }] as const;
    const template = { name: 'shop', egress: { ...EGRESS, allow } };
    const own = networkFor(plan, template);
    const whole = networkPlan('podman', 'shop', [template]);
    expect(whole.networks.at(-1)).toEqual(own);
    expect(networkNamed(plan, own.name)).toMatchObject({ bridge: own.bridge, chain: own.chain, allowed: own.allowed });
    expect(own.bridge.length).toBeLessThanOrEqual(15);
    expect(own.chain.length).toBeLessThanOrEqual(28);
    const gateways = new Map([[own.bridge, '10.64.0.1']]);
    const { chains } = ipv4Rules(whole, ['192.0.2.53'], gateways);
    const passing = chains.get(own.chain)?.filter((line) => !line.endsWith('-j DROP'));
    expect(passing).toEqual([
      '-m conntrack --ctstate ESTABLISHED -j RETURN',
      '-p icmp -m conntrack --ctstate RELATED -j RETURN',
      `-m set --match-set ${own.chain} dst,dst -g ${plan.flows}`,
    ]);
    expect(chains.get(plan.toHost)).toContain(`-i ${own.bridge} -d 10.64.0.1 -p udp --dport 53 -g ${plan.flows}`);
    // Before what lets answers of established connections through.
    expect(chains.get(plan.toHost)?.[0]).toMatch(
      /^-p udp --dport 53 -m hashlimit --hashlimit-above 50\/sec .* -j DROP$/,
    );
    expect(
      ipv4Rules(whole, [])
        .chains.get(plan.toHost)
        ?.filter((line) => line.includes(own.bridge)),
    ).toEqual([]);
  });

  it('count on where the counters are, and write them again where they are not as they should be', () => {
    const rules = ipv4Rules(plan, []);
    const begin = `:${plan.flows} - [0:0]\n`;
    expect(restoreInput(rules, [])).toContain(begin);
    const limits = flowLimits(plan.flows);
    // As another version of iptables may spell them.
    const there = limits.map((line) => `-A ${plan.flows} ${line.replace(/--comment (\S+)/, '--comment "$1"')}`);
    const present = [`-N ${plan.flows}`, ...there];
    expect(restoreInput(rules, present)).not.toContain(begin);
    expect(restoreInput(rules, present)).not.toContain(`-A ${plan.flows} `);
    for (const wrong of [
      present.slice(0, -1),
      [present[0], ...there.toReversed()],
      [...present, `-A ${plan.flows} -j ACCEPT`],
    ])
      expect(restoreInput(rules, wrong.map(String))).toContain(begin);
  });

  it('are made from nothing, and again without a second hook', () => {
    const rules = ipv4Rules(plan, []);
    const hook = `FORWARD 1 -i ${closed.bridge} -j ${closed.chain}`;
    expect(restoreInput(rules, ['-P FORWARD ACCEPT'])).toContain(`-I ${hook}\n`);
    const present = rules.hooks.map(({ parent, match, chain }) => `-A ${parent} ${match} -j ${chain}`);
    const again = restoreInput(rules, present);
    expect(again).not.toContain('-I ');
    expect(again).toContain(`:${closed.chain} - [0:0]\n`);
  });

  it('let proxies through by published ports alone, and nobody else to those', () => {
    const publishing = { address: '10.0.0.3', ports: { start: 20_000, end: 20_099 }, proxies: ['10.0.0.1/32'] };
    const { chains, hooks } = ipv4Rules(plan, [], undefined, publishing);
    const to = '-d 10.0.0.3/32 -p tcp -m tcp --dport 20000:20099';
    expect(hooks.filter(({ parent }) => parent === 'PREROUTING')).toEqual([
      { parent: 'PREROUTING', match: to, chain: plan.published },
    ]);
    expect(chains.get(plan.published)).toEqual([
      '-m conntrack --ctstate ESTABLISHED -j RETURN',
      '-i lo -j RETURN',
      '-s 10.0.0.1/32 -j RETURN',
      '-j DROP',
    ]);
    const by = '--ctorigdst 10.0.0.3 --ctorigdstport 20000:20099';
    for (const { chain, bridge } of plan.networks) {
      const lines = chains.get(chain) ?? [];
      const proxy = `-s 10.0.0.1/32 -o ${bridge} -p tcp -m conntrack --ctstate NEW ${by} -j RETURN`;
      expect(lines.filter((line) => line.includes('--ctstate NEW'))).toEqual([proxy]);
      expect(lines.indexOf(`-o ${bridge} -j DROP`)).toBe(lines.indexOf(proxy) + 1);
      expect(lines.indexOf(`-i ${bridge} -o ${bridge} -j DROP`)).toBeLessThan(lines.indexOf(proxy));
    }
  });

  it('ask about published ports nothing on a host that stands alone', () => {
    const { chains, hooks } = ipv4Rules(plan, []);
    expect(chains.get(plan.published)).toEqual([]);
    expect(hooks.filter(({ parent }) => parent === 'PREROUTING')).toEqual([]);
  });

  it('leave no hook of other ports behind, and say when what is there is not what is meant', () => {
    const publishing = { address: '10.0.0.3', ports: { start: 20_000, end: 20_099 }, proxies: ['10.0.0.1/32'] };
    const rules = ipv4Rules(plan, [], undefined, publishing);
    const old = `PREROUTING -d 10.0.0.2/32 -p tcp -m tcp --dport 1:9 -j ${plan.published}`;
    const hook = `PREROUTING -d 10.0.0.3/32 -p tcp -m tcp --dport 20000:20099 -j ${plan.published}`;
    const chain = (rules.chains.get(plan.published) ?? []).map((line) => `-A ${plan.published} ${line}`);
    const changed = restoreInput(rules, [`-A ${old}`, '-A PREROUTING -j DOCKER']);
    expect(changed).toContain(`-D ${old}\n`);
    expect(changed).not.toContain('DOCKER');
    expect(changed).toContain(`-I ${hook.replace('PREROUTING', 'PREROUTING 1')}\n`);
    expect(isPublishedAsMeant(plan, publishing, [`-A ${hook}`, ...chain])).toBe(true);
    expect(isPublishedAsMeant(plan, publishing, chain)).toBe(false);
    expect(isPublishedAsMeant(plan, publishing, [`-A ${hook}`, ...chain.slice(0, -1)])).toBe(false);
    expect(isPublishedAsMeant(plan, { ...publishing, proxies: [] }, [`-A ${hook}`, ...chain])).toBe(false);
    expect(isPublishedAsMeant(plan, LOOPBACK, [])).toBe(true);
  });

  it('leave a template that is not named its name server, and take all of it away with its network', () => {
    const allow = [{ host: 'api.example.org', port: 443, protocol: 'tcp' }] as const;
    const other = networkFor(plan, { name: 'other', egress: { ...EGRESS, allow } });
    const lookup = `-d 10.64.0.1/32 -i ${other.bridge} -p udp -m udp --dport 53 -g ${plan.flows}`;
    const hooks = [`FORWARD -i ${other.bridge} -j ${other.chain}`, `INPUT -i ${other.bridge} -j ${plan.toHost}`];
    const toHost = [`-A ${plan.toHost} ${lookup}`, `-A ${plan.toHost} -j DROP`];
    const present = [`-N ${plan.toHost}`, `-N ${other.chain}`, ...hooks.map((hook) => `-A ${hook}`), ...toHost];
    const written = restoreInput(ipv4Rules(plan, []), present).split('\n');
    expect(written.filter((line) => line.startsWith(`-A ${plan.toHost} `)).slice(-2)).toEqual(toHost);
    // Its own template says whether there is one.
    const named = networkPlan('podman', 'shop', [{ name: 'other', egress: { ...EGRESS, allow } }]);
    expect(restoreInput(ipv4Rules(named, []), present)).not.toContain('--dport 53 -g');
    const chain = [`-A ${other.chain} -i ${other.bridge} -o ${other.bridge} -j DROP`];
    const gone = [...hooks, `${plan.toHost} ${lookup}`].map((line) => `-D ${line}\n`).join('');
    expect(removeInput((name) => name === other.chain, [...present, ...chain], other.bridge)).toBe(
      `*mangle\n${gone}-F ${other.chain}\n-X ${other.chain}\nCOMMIT\n`,
    );
    // What a kill in the midst left of it.
    expect(removeInput((name) => name === other.chain, toHost, other.bridge)).toBe(
      `*mangle\n-D ${plan.toHost} ${lookup}\nCOMMIT\n`,
    );
    expect([other.chain, plan.toHost, closed.chain].map((name) => ownNetworkOf(plan, name))).toEqual([
      other.name,
      undefined,
      undefined,
    ]);
  });

  it("go without touching anybody else's", () => {
    const isOurs = (chain: string): boolean => chain.startsWith(plan.prefix);
    const foreign = [
      '-N TIN-ffffffff-CLOSED',
      '-A FORWARD -i tin-ffffffff-c -j TIN-ffffffff-CLOSED',
      '-A FORWARD -j DOCKER',
    ];
    expect(removeInput(isOurs, foreign)).toBeUndefined();
    const jump = `FORWARD -i ${closed.bridge} -j ${closed.chain}`;
    expect(removeInput(isOurs, [...foreign, `-N ${closed.chain}`, `-A ${jump}`, `-A ${jump}`])).toBe(
      `*mangle\n-D ${jump}\n-D ${jump}\n-F ${closed.chain}\n-X ${closed.chain}\nCOMMIT\n`,
    );
  });
});
