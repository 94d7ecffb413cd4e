import { readFileSync } from 'node:fs';
import type { ContainerCreateOptions, HostConfig } from 'dockerode';
import { DATABASE_SERVERS, type DatabaseFolders } from '../../domain/database.ts';
import { TryItNowError } from '../../domain/errors.ts';
import { DATABASE_MOUNT, type Template } from '../../domain/template.ts';
import type { ContainerSpec } from '../../pool/interfaces/container-runtime.ts';
import type { InstanceNetwork } from '../isolation/network-plan.ts';
import { LABEL } from '../labels.ts';
import { partLabels, type PodPlace } from './pod.ts';
import { filesystemOptions, processOptions, type ImageProcess } from './process-options.ts';

export interface ContainerContext {
  readonly deployment: string;
  readonly node: string;
  /** By its id: what its name stands for may change meanwhile. */
  readonly image: string;
  readonly network: InstanceNetwork;
  /** The host's address that its port is published on. */
  readonly publishedAt: string;
  /** Name servers of instances with egress. */
  readonly resolvers: readonly string[];
  /** Options of resolvers, as in resolv.conf. */
  readonly dnsOptions: readonly string[];
  /** The host's folders with the database servers' sockets; for templates that have a database. */
  readonly databaseFolders: DatabaseFolders | undefined;
  readonly logConfig: NonNullable<HostConfig['LogConfig']>;
  readonly ulimits: NonNullable<HostConfig['Ulimits']>;
  readonly ipv6: boolean;
  /** Undefined for a container that stands alone. */
  readonly place: PodPlace | undefined;
  /** False where the engine has no init to start containers with. */
  readonly hasInit: boolean;
  /** What the image starts by itself, where it depends on that what the template starts. */
  readonly imageProcess: ImageProcess | undefined;
  /** What is mounted in a container of this network beside what the template asks for. */
  readonly mounts: NonNullable<HostConfig['Mounts']>;
  /** What the engine has to be told so that a folder in memory begins empty. */
  readonly tmpfsOptions: string;
  /** The security option that says which system calls may be made. */
  readonly seccomp: string;
}

/**
 * A resolver that answers nothing. Docker's own DNS would carry lookups, and so data, to the
 * outside for a closed instance.
 */
const NO_RESOLVER = '127.0.0.1';
/** Instances go before the servers when the host runs out of memory. */
const OOM_SCORE = 500;
/** Enough for any demo, and below what a container engine without CAP_SYS_RESOURCE may grant. */
const RLIMIT_WANTED = 20_000;
/** Threads of the sandbox itself, which are counted with the app's: it takes some 40, and ends when it gets none. */
const SANDBOX_PIDS = 128;

/**
 * An engine that may not raise its own hard limits fails to start a container that asks for more; left to themselves
 * engines ask for about a million.
 */
export function containerUlimits(
  limits: string = readFileSync('/proc/self/limits', 'utf8'),
  pidMax = Number(readFileSync('/proc/sys/kernel/pid_max', 'utf8')),
): NonNullable<HostConfig['Ulimits']> {
  const hard = (row: string, most = RLIMIT_WANTED): number => {
    const found = new RegExp(`^${row}\\s+\\S+\\s+(\\d+)`, 'm').exec(limits)?.[1];
    return Math.min(RLIMIT_WANTED, most, found === undefined ? RLIMIT_WANTED : Number(found));
  };
  // Podman lowers its own limit of processes to kernel.pid_max, and a container's above that fails.
  return [['nofile', hard('Max open files')] as const, ['nproc', hard('Max processes', pidMax)] as const].map(
    ([name, limit]) => ({ Name: name, Soft: limit, Hard: limit }),
  );
}

/** Our labels on the container: whose it is and what it is for. */
export function containerLabels(
  spec: ContainerSpec,
  owner: { readonly deployment: string; readonly node: string },
): Record<string, string> {
  return {
    [LABEL.deployment]: owner.deployment,
    [LABEL.node]: owner.node,
    [LABEL.template]: spec.template.name,
    ...(spec.instanceId === undefined ? {} : { [LABEL.instance]: spec.instanceId }),
    ...(spec.keepUntilMs === undefined ? {} : { [LABEL.keepUntil]: String(spec.keepUntilMs) }),
  };
}

export function nameServers(network: InstanceNetwork, resolvers: readonly string[]): string[] {
  return network.egress !== undefined && resolvers.length > 0 ? [...resolvers] : [NO_RESOLVER];
}

/**
 * The host's folder a container of this template sees at DATABASE_MOUNT; undefined for one
 * without a database. Throws database_unavailable.
 */
export function databaseSource({ name, database }: Template, folders: DatabaseFolders = {}): string | undefined {
  if (database === undefined) return undefined;
  const folder = folders[database.engine];
  if (folder === undefined) {
    const { title, socket } = DATABASE_SERVERS[database.engine];
    throw new TryItNowError(
      'database_unavailable',
      `The template ${name} has a database, but this node has no ${title} server; set ${socket}`,
    );
  }
  return folder;
}

/** Of the container's own network. `ipv6`: the kernel has it. */
export function instanceSysctls({ process, egress }: Template, ipv6: boolean): Record<string, string> {
  return {
    // Root without capabilities could not listen on port 80 otherwise; it is the container's own port 80.
    'net.ipv4.ip_unprivileged_port_start': '0',
    // Groups that may ping without a capability: none where there is nobody to ping. Engines differ in it.
    'net.ipv4.ping_group_range': egress !== undefined ? '0 2147483647' : '1 0',
    // Link-local IPv6 would lead past the rules for IPv4.
    ...(ipv6 ? { 'net.ipv6.conf.all.disable_ipv6': '1', 'net.ipv6.conf.default.disable_ipv6': '1' } : {}),
    ...process.sysctls,
  };
}

/** Everything an instance may and may not do, in the engine's words. */
export function containerOptions(spec: ContainerSpec, around: ContainerContext): ContainerCreateOptions {
  const { template } = spec;
  const port = `${template.port}/tcp`;
  return {
    name: spec.name,
    Image: around.image,
    // Tells instances apart for anyone who looks from inside, without giving the id away: see containerName.
    ...(around.place?.joins === undefined ? { Hostname: spec.name, ExposedPorts: { [port]: {} } } : {}),
    Labels: { ...containerLabels(spec, around), ...partLabels(around.place) },
    ...processOptions(spec, around.imageProcess),
    HostConfig: hostConfig(spec, port, around),
  };
}

function hostConfig({ template, hostPort }: ContainerSpec, port: string, around: ContainerContext): HostConfig {
  const { limits } = template;
  const database = databaseSource(template, around.databaseFolders);
  return {
    Mounts: [
      ...(around.place?.joins === undefined ? around.mounts : []),
      ...(database === undefined
        ? []
        : [{ Type: 'bind' as const, Source: database, Target: DATABASE_MOUNT, ReadOnly: true }]),
    ],
    ...filesystemOptions(template, around.tmpfsOptions),
    Init: template.process.init && around.hasInit,
    ...networkOptions(template, { port, hostPort }, around),
    Privileged: false,
    CapDrop: ['ALL'],
    CapAdd: [...template.capabilities],
    SecurityOpt: ['no-new-privileges', around.seccomp],
    PidsLimit: limits.pids + (template.runtime === 'runsc' ? SANDBOX_PIDS : 0),
    Memory: limits.memoryBytes,
    // Equal to the memory: no swap on top of it.
    MemorySwap: limits.memoryBytes,
    NanoCpus: Math.round(limits.cpus * 1e9),
    OomScoreAdj: OOM_SCORE,
    Ulimits: around.ulimits,
    LogConfig: around.logConfig,
    RestartPolicy: { Name: 'no' },
    AutoRemove: false,
  };
}

/** A container that joins another one's network namespace has nothing of its own to set there. */
function networkOptions(
  template: Template,
  { port, hostPort }: { readonly port: string; readonly hostPort: number },
  { place, network, publishedAt, resolvers, dnsOptions, ipv6 }: ContainerContext,
): HostConfig {
  if (place?.joins !== undefined) return { NetworkMode: `container:${place.joins}` };
  return {
    NetworkMode: network.name,
    PortBindings: { [port]: [{ HostIp: publishedAt, HostPort: String(hostPort) }] },
    Dns: nameServers(network, resolvers),
    DnsSearch: ['.'],
    DnsOptions: [...dnsOptions],
    Sysctls: instanceSysctls(template, ipv6),
    ...(place === undefined ? {} : { ExtraHosts: place.names.map((name) => `${name}:127.0.0.1`) }),
  };
}
