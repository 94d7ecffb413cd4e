import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import Dockerode from 'dockerode';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { reservePort } from '../../src/launcher/tcp-ports.ts';
import type { ContainerSpec } from '../../src/pool/interfaces/container-runtime.ts';
import type { EngineRuntime } from '../../src/runtime/docker/engine-runtime.ts';
import { EGRESS, type Egress } from '../../src/domain/egress.ts';
import { FLOWS_AT_MOST } from '../../src/runtime/isolation/flow-limits.ts';
import { networkFor, networkPlan } from '../../src/runtime/isolation/network-plan.ts';
import { Inside } from '../support/container-inside.ts';
import { eventually } from '../support/eventually.ts';
import { outsideNetwork, type OutsideNetwork } from '../support/outside-network.ts';
import { template } from '../support/templates.ts';
import type { TinyImage } from '../support/tiny-image.ts';
import { ATTACKS, loadAttackerImage } from '../hostile/attacker-image.ts';
import { throughPage } from '../hostile/kernel-surface.ts';
import type { EngineUnderTest } from './container-engine.ts';
import { newSpec, untilReady } from './container-runtime.ts';

const never = new AbortController().signal;
const SITE = 'name.example';
const SITE_ADDRESS = '192.0.2.77';
/** More than the kernel keeps of one that is bounded. */
const FLOOD = 4000;
const HALF_OPEN = 400;
/** Where names may not lead, whoever has them lead there. */
const NEVER_REACHED = ['127.0.0.1', '169.254.169.254', '10.0.0.1'];
const MAIL: Egress = { ...EGRESS, mail: true };
/** Reserved, and never listened on. */
const TURN = 1;
/** As long as another engine's suite may take on a busy machine. */
const OTHERS_TURN_MS = 240_000;

type Place = readonly [address: string, port: number];

interface Member {
  readonly spec: ContainerSpec;
  readonly inside: Inside;
}

/**
 * Whom an instance reaches. The control containers are of the same image on an ordinary network of the same engine; the
 * same questions asked from there are answered, so a refusal to an instance is the isolation's doing.
 */
export function isolationContract(underTest: () => EngineUnderTest): void {
  let docker: Dockerode;
  let image: TinyImage;
  let outside: OutsideNetwork;
  let engine: EngineRuntime;
  let hostService: Server;
  let servicePort: number;
  let control: readonly [Inside, Inside];
  let closed: readonly [Member, Member];
  let open: readonly [Member, Member];
  let mail: Member;
  let named: Member;
  const releases: (() => unknown)[] = [];
  const controlName = `tin-control-${randomBytes(4).toString('hex')}`;

  const nameOf = (kind: 'a' | 'alias', address: string): string => `${kind}-${address.replaceAll('.', '-')}.example`;
  const only = (): Egress => {
    const hosts = [
      nameOf('a', outside.address),
      nameOf('alias', outside.address),
      ...NEVER_REACHED.flatMap((address) => [nameOf('a', address), nameOf('alias', address)]),
      nameOf('alias', outside.privateAddress),
    ];
    return { ...EGRESS, allow: hosts.map((host) => ({ host, port: outside.webPort, protocol: 'tcp' })) };
  };

  const member = async (egress?: Egress): Promise<Member> => {
    const spec = await newSpec(template({ image: image.name, port: 80, egress }));
    await engine.start(spec, never);
    await untilReady(spec);
    return { spec, inside: await Inside.of(docker, spec.name) };
  };

  const raw = async (network: string): Promise<Inside> => {
    const name = `${controlName}-${randomBytes(3).toString('hex')}`;
    const ulimits = ['nofile', 'nproc'].map((limit) => ({ Name: limit, Soft: 1024, Hard: 1024 }));
    const container = await docker.createContainer({
      name,
      Image: image.name,
      StopTimeout: 0,
      HostConfig: { NetworkMode: network, Ulimits: ulimits },
    });
    releases.push(() => container.remove({ force: true, v: true }));
    await container.start();
    return Inside.of(docker, name);
  };

  beforeAll(async () => {
    const turn = await eventually(takeTurn, { timeoutMs: OTHERS_TURN_MS, everyMs: 200 });
    releases.push(() => turn[Symbol.asyncDispose]());
    docker = new Dockerode({ host: '', socketPath: underTest().socketPath });
    image = await loadAttackerImage(underTest().socketPath);
    releases.push(() => image[Symbol.asyncDispose]());
    outside = await outsideNetwork();
    releases.push(() => outside[Symbol.asyncDispose]());
    // Also on IPv6, for the link-local address of a bridge.
    hostService = createServer((_, response) => response.end('host')).listen(0, '::');
    releases.push(() => new Promise((resolve) => hostService.close(resolve)));
    await eventually(() => expect(hostService.listening).toBe(true));
    servicePort = (hostService.address() as AddressInfo).port;

    const network = await docker.createNetwork({ Name: controlName, Driver: 'bridge' });
    releases.push(() => network.remove());
    control = [await raw(controlName), await raw(controlName)];

    engine = underTest().runtime(undefined, undefined, [outside.privateAddress]);
    releases.push(async () => expect(await engine.unprepare()).toBe(true));
    await engine.prepare([
      ...[undefined, EGRESS, MAIL, only()].map((egress) => template({ image: image.name, egress })),
    ]);
    releases.push(async () => {
      for (const { name } of await engine.list()) await engine.remove(name);
    });
    closed = [await member(), await member()];
    open = [await member(EGRESS), await member(EGRESS)];
    mail = await member(MAIL);
    named = await member(only());
  }, 2 * OTHERS_TURN_MS);

  afterAll(async () => {
    const failures: unknown[] = [];
    for (const release of releases.reverse()) {
      try {
        await release();
      } catch (error) {
        failures.push(error);
      }
    }
    expect(failures).toEqual([]);
  });

  // Those that only ask, at once: an answer that never comes is waited for.
  const service = (address: string): Place => [address, servicePort];
  const page = ({ address }: Inside): Place => [address, 80];

  it.concurrent('does not reach another instance', async () => {
    await reaches(control[0], [page(control[1])]);
    const members = [...closed, ...open, mail, named].map(({ inside }) => inside);
    const pairs = members.flatMap((from) => members.filter((to) => to !== from).map((to) => [from, to] as const));
    const answers = await Promise.all(pairs.map(async ([from, to]) => reached(from, [page(to)])));
    expect(answers.flat()).toEqual(pairs.map(() => false));
    // Nor does it learn who is there: asked for their addresses by ARP, none of them answers.
    const known = async (from: Inside): Promise<string[]> =>
      [...(await from.run('ip', 'neigh')).matchAll(/^(\S+) .*lladdr/gm)].map(([, address = '']) => address);
    expect(await known(control[0])).toContain(control[1].address);
    const addresses = new Set(members.map(({ address }) => address));
    const seen = await Promise.all(members.map(known));
    expect(seen.flat().filter((address) => addresses.has(address))).toEqual([]);
  });

  it.concurrent('does not learn from the engine which neighbours there are', async () => {
    const program = join(ATTACKS, 'neighbour-names.pl');
    // Podman's name service answers for others only where a network has one.
    if (underTest().engine === 'docker') {
      const [from, { address }] = control;
      const seen = await from.run('env', `QUERY_STRING=${address}`, 'perl', program);
      for (const way of ['udp', 'pieces', 'tcp']) expect(seen).toContain(`${way} ${address} ${controlName}`);
    }
    const members = [closed[0], closed[1], open[0], mail, named];
    const answers = members.map(async (from) => {
      const others = members.filter((to) => to !== from).map(({ inside }) => inside.address);
      return throughPage(from.spec)('neighbour-names', others.join('+'));
    });
    expect(await Promise.all(answers)).toEqual(members.map(() => 'asked\n'));
  });

  it.concurrent('does not reach the host under any of its addresses', async () => {
    const gateway = await control[0].gateway();
    await reaches(control[0], [service(gateway), service(outside.hostAddress)]);
    const answers = [closed[0], open[0]].map(async ({ inside }) =>
      reached(inside, [service(await inside.gateway()), service(outside.hostAddress), service(gateway)]),
    );
    expect((await Promise.all(answers)).flat()).toEqual(Array.from({ length: 6 }, () => false));
  });

  it.concurrent('does not reach the published port of another instance, which the host does', async () => {
    const answers = [closed, open].map(async ([from, to]) => {
      const addresses = ['127.0.0.1', await from.inside.gateway(), outside.hostAddress];
      return reached(
        from.inside,
        addresses.map((address) => [address, to.spec.hostPort]),
      );
    });
    expect((await Promise.all(answers)).flat()).toEqual(Array.from({ length: 6 }, () => false));
    await Promise.all([closed, open].map(([, to]) => untilReady(to.spec)));
  });

  it.concurrent('reaches the outside only when its template says so, and no private address even then', async () => {
    const places: [Place, Place] = [
      [outside.address, outside.webPort],
      [outside.privateAddress, outside.webPort],
    ];
    const [publicPlace, privatePlace] = places;
    await reaches(control[0], places);
    await reaches(open[0].inside, [publicPlace]);
    expect(await reached(open[0].inside, [privatePlace])).toEqual([false]);
    expect(await reached(closed[0].inside, places)).toEqual([false, false]);
  });

  it.concurrent('reaches the ports of mail only when its template says so', async () => {
    const places = outside.mailPorts.map((port): Place => [outside.address, port]);
    await reaches(mail.inside, places);
    await reaches(mail.inside, [[outside.address, outside.webPort]]);
    expect(await reached(open[1].inside, places)).toEqual(places.map(() => false));
  });

  it.concurrent('is not reached from elsewhere past its published port', async () => {
    // Docker itself refuses such a way in; Podman leaves it open, which is what this shows.
    if (underTest().engine === 'podman')
      await eventually(async () => expect(await outside.reaches(...page(control[0]))).toBe(true));
    const answers = [closed[0], open[0]].map(({ inside }) => outside.reaches(...page(inside)));
    expect(await Promise.all(answers)).toEqual([false, false]);
  });

  it.concurrent('looks names up with egress, and sends nothing out by name without', async () => {
    // Polled: on a busy machine a single attempt can run out of its time.
    await eventually(async () => {
      expect(await control[0].lookUp(SITE, outside.address)).toContain(SITE_ADDRESS);
      expect(await open[0].inside.lookUp(SITE, await open[0].inside.nameServer())).toContain(SITE_ADDRESS);
    });
    const { inside } = closed[0];
    // Docker's own answers on every network of a name, whatever the container is told.
    const own = [await inside.nameServer(), '127.0.0.11'];
    const servers = [...own, outside.address, outside.privateAddress, await inside.gateway()];
    const answers = await Promise.all(servers.map((server) => inside.lookUp(SITE, server)));
    expect(answers.map((answer) => answer.trim())).toEqual(servers.map(() => ''));
  });

  it.concurrent('reaches the names that its template allows, and no other name, address or port', async () => {
    const { inside } = named;
    const server = await inside.nameServer();
    const web: Place = [outside.address, outside.webPort];
    // By its address alone, before anybody asked for its name.
    expect(await reached(inside, [web])).toEqual([false]);
    const nothing = [
      inside.lookUp(SITE, server),
      // A name below one that is allowed could carry data out.
      inside.lookUp(`data.${nameOf('a', outside.address)}`, server),
      inside.lookUp(SITE, outside.address),
      inside.lookUp(nameOf('a', outside.address), outside.privateAddress),
      ...[...NEVER_REACHED, outside.privateAddress].map((to) => inside.lookUp(nameOf('alias', to), server)),
      ...NEVER_REACHED.map((to) => inside.lookUp(nameOf('a', to), server)),
    ];
    expect((await Promise.all(nothing)).map((answer) => answer.trim())).toEqual(nothing.map(() => ''));
    await eventually(async () =>
      expect((await inside.lookUp(nameOf('alias', outside.address).toUpperCase(), server)).trim()).toBe(
        outside.address,
      ),
    );
    await reaches(inside, [web]);
    const others = [outside.mailPorts[0] ?? 0, 53].map((port): Place => [outside.address, port]);
    expect(await reached(inside, [...others, [outside.privateAddress, outside.webPort]])).toEqual([
      false,
      false,
      false,
    ]);
    for (const outcome of ['answered', 'refused', 'private'] as const) expect(underTest().lookups).toContain(outcome);
    // Nor does what another one looked up open anything elsewhere.
    expect(await reached(closed[0].inside, [web])).toEqual([false]);
  });

  it('has so many names looked up a second, and no more from a socket that was answered before', async () => {
    const { inside } = named;
    const server = await inside.nameServer();
    await eventually(async () =>
      expect((await inside.lookUp(nameOf('a', outside.address), server)).trim()).toBe(outside.address),
    );
    const answers = Number(await inside.run('perl', join(ATTACKS, 'name-flood.pl'), server, '3000'));
    expect(answers).toBeGreaterThan(0);
    // What it may ask at once, and a second or so of what it may after that; without the bound it is most of them.
    expect(answers).toBeLessThan(500);
  });

  it("takes no more of the host's table of connections than is its share", async () => {
    const table = '/proc/net/nf_conntrack';
    if (!existsSync(table)) {
      process.stderr.write(
        `This kernel does not show its table of connections (${table}), so nothing is shown of it\n`,
      );
      return;
    }
    const entries = async ({ address }: Inside): Promise<number> =>
      (await readFile(table, 'utf8')).split(`src=${address} dst=${outside.address} `).length - 1;
    const [attacker, neighbour] = open;
    const { flows } = networkPlan(underTest().engine, underTest().deployment);
    const refused = async (): Promise<number> => {
      const { stdout } = await promisify(execFile)('iptables', ['-w', '10', '-t', 'mangle', '-vnxL', flows]);
      return [...stdout.matchAll(/^\s*(\d+)\s+\d+ DROP/gm)].reduce((sum, [, packets]) => sum + Number(packets), 0);
    };
    // The same from a container that nothing bounds.
    const query = `${outside.address}+${FLOOD}+${HALF_OPEN}`;
    await control[0].run('env', `QUERY_STRING=${query}`, 'perl', join(ATTACKS, 'connection-flood.pl'));
    expect(await entries(control[0])).toBeGreaterThan(FLOWS_AT_MOST);
    const answer = await throughPage(attacker.spec)('connection-flood', query);
    expect(answer).toBe(`datagrams ${FLOOD}\nhalf open ${HALF_OPEN}\n`);
    expect(await entries(attacker.inside)).toBeLessThan(FLOWS_AT_MOST);
    expect(await refused()).toBeGreaterThan(0);
    await reaches(neighbour.inside, [[outside.address, outside.webPort]]);
    // Counting goes on where it was.
    await engine.prepare([attacker.spec.template]);
    expect(await refused()).toBeGreaterThan(0);
  });

  it('reaches nothing over IPv6, even if it had it', async () => {
    const network = networkFor(
      networkPlan(underTest().engine, underTest().deployment),
      template({ egress: undefined }),
    );
    // Without the switch-off that instances get.
    const [one, two] = [await raw(network.name), await raw(network.name)];
    for (const each of [...control, one, two]) await each.forceIpv6();
    const ask = async (from: Inside, to: Inside): Promise<boolean[]> =>
      reached(from, [service(await from.bridgeLinkLocal()), [await to.linkLocal(), 80]]);
    // An address made a moment ago is tentative at first, and a single attempt can run out of its time.
    await eventually(async () => expect(await ask(control[0], control[1])).toEqual([true, true]));
    // With usable addresses too, or the refusal would prove nothing.
    await eventually(() => Promise.all([one.linkLocal(), two.linkLocal(), one.bridgeLinkLocal()]));
    expect(await ask(one, two)).toEqual([false, false]);
  });

  it('knows the host by one address, whoever comes and goes beside it', async () => {
    const { bridge } = networkFor(
      networkPlan(underTest().engine, underTest().deployment),
      template({ egress: undefined }),
    );
    const address = (): Promise<string> => readFile(`/sys/class/net/${bridge}/address`, 'utf8');
    const before = await address();
    const lowest = `low-${randomBytes(4).toString('hex')}`;
    await ip('link', 'add', lowest, 'address', '02:00:00:00:00:01', 'type', 'veth');
    try {
      // Of the ports of a bridge that has none of its own, the kernel takes the lowest address.
      await ip('link', 'set', lowest, 'master', bridge);
      expect(await address()).toBe(before);
    } finally {
      await ip('link', 'del', lowest);
    }
  });

  it('stays isolated whatever an engine or a firewall accepts in the filter table', async () => {
    const { bridge } = networkFor(
      networkPlan(underTest().engine, underTest().deployment),
      template({ egress: undefined }),
    );
    const rules = ['FORWARD', 'INPUT'].map((chain) => [chain, '-i', bridge, '-j', 'ACCEPT']);
    for (const rule of rules) await iptables('-I', ...rule);
    try {
      const places: Place[] = [
        page(closed[1].inside),
        service(outside.hostAddress),
        [outside.address, outside.webPort],
      ];
      expect(await reached(closed[0].inside, places)).toEqual([false, false, false]);
    } finally {
      for (const rule of rules) await iptables('-D', ...rule);
    }
  });

  it('is put back when somebody has emptied the rules', async () => {
    const { toHost } = networkPlan(underTest().engine, underTest().deployment);
    const { inside, spec } = closed[0];
    await iptables('-t', 'mangle', '-F', toHost);
    await reaches(inside, [service(outside.hostAddress)]);
    await engine.prepare([spec.template, open[0].spec.template]);
    expect(await reached(inside, [service(outside.hostAddress)])).toEqual([false]);
  });
}

/** One engine's suite at a time on this host, since both change its firewall. */
async function takeTurn(): Promise<AsyncDisposable> {
  const turn = await reservePort(TURN);
  if (turn === undefined) throw new Error('the isolation suite of another engine still runs');
  return turn;
}

async function reached(from: Inside, places: readonly Place[]): Promise<boolean[]> {
  return Promise.all(places.map(async (place) => from.reaches(...place)));
}

/** Polled: on a busy machine a single attempt can run out of its time. */
async function reaches(from: Inside, places: readonly Place[]): Promise<void> {
  await eventually(async () => expect(await reached(from, places)).toEqual(places.map(() => true)), {
    timeoutMs: 100_000,
  });
}

async function iptables(...args: readonly string[]): Promise<void> {
  await promisify(execFile)('iptables', ['-w', '10', ...args]);
}

async function ip(...args: readonly string[]): Promise<void> {
  await promisify(execFile)('ip', args);
}
