import type Dockerode from 'dockerode';
import Type from 'typebox';
import Value from 'typebox/value';
import type { Dialect } from '../docker/dialect.ts';
import { statusOf } from '../docker/engine-errors.ts';
import type { EngineOptions } from '../docker/engine-options.ts';
import { EngineRuntime, connectEngine } from '../docker/engine-runtime.ts';
import type { InstanceNetwork } from '../isolation/network-plan.ts';
import { RESTORE_TIMEOUT_MS, killHungRestores } from './checkpoint/stuck-restore.ts';
import { PODMAN } from './descriptor.ts';
import { hasInit } from './host-settings.ts';
import { seccompFile } from './seccomp-file.ts';
import { libpod } from './libpod-api.ts';
import { RuntimeServices } from './runtime-services.ts';

/** What is read of Podman's answer about a network. */
const LibpodNetwork = Type.Object({
  labels: Type.Optional(Type.Record(Type.String(), Type.String())),
  network_interface: Type.String(),
  dns_enabled: Type.Boolean(),
  subnets: Type.Optional(Type.Array(Type.Object({ gateway: Type.Optional(Type.String()) }))),
});

/**
 * Podman's own choice is a /24, which ends at 253 instances; a Linux bridge takes 1,023, which is a /22. Drawn from
 * 10.64.0.0/10, away from where Podman, Docker and most sites begin.
 */
const SUBNET_PREFIX = 22;
const SUBNETS = 4096;
const SUBNET_TRIES = 16;
/**
 * Odd, so that every subnet is reached; more than 64, so that one /16 in use (Podman's default network
 * is one) costs one try.
 */
const SUBNET_STRIDE = 67;
/** Its own process ends a restore that hangs before that; a look waits for longer. */
const HUNG_MS = RESTORE_TIMEOUT_MS + 2_000;

export function createPodmanRuntime(options: EngineOptions, services = new RuntimeServices(options)): EngineRuntime {
  const docker = connectEngine(options.socketPath, undefined, options.patience?.callMs);
  return new EngineRuntime(docker, podmanDialect(docker, services, options), options);
}

/** The `attempt`-th subnet to try for this network. */
export function subnetFor({ seed }: Pick<InstanceNetwork, 'seed'>, attempt: number): string {
  const index = (seed + attempt * SUBNET_STRIDE) % SUBNETS;
  return `10.${64 + (index >> 6)}.${(index & 63) << 2}.0/${SUBNET_PREFIX}`;
}

function podmanDialect(docker: Dockerode, services: RuntimeServices, { socketPath, patience }: EngineOptions): Dialect {
  return {
    engine: PODMAN,
    logConfig: { Type: 'k8s-file', Config: { 'max-size': '1mb' } },
    mounts: () => [],
    hasInit,
    // Docker has no such copy of what the image has there.
    tmpfsOptions: ',notmpcopyup',
    // The one on a network's bridge is switched off when the network is made.
    nameService: undefined,
    dnsOptions: [],
    seccomp: seccompFile,
    createContainer: async (options, runtime) =>
      (runtime === undefined ? docker : await services.of(runtime)).createContainer(options),
    starts: async (template) =>
      template.memory === 'share'
        ? connectEngine(await services.startsAt(template), undefined, patience?.callMs)
        : docker,
    endHung: () => killHungRestores(HUNG_MS),
    close: () => services.close(),
    async findNetwork(name) {
      try {
        const found = Value.Parse(
          LibpodNetwork,
          await libpod(socketPath, 'GET', `/networks/${encodeURIComponent(name)}/json`, undefined, patience),
        );
        return {
          labels: found.labels ?? {},
          bridge: found.network_interface,
          gateway: found.subnets?.[0]?.gateway,
          answersDns: found.dns_enabled,
        };
      } catch (error) {
        if (statusOf(error) === 404) return undefined;
        throw error;
      }
    },
    // Podman's own API, since the Docker-compatible one cannot switch the network's name service off.
    async createNetwork(network, labels) {
      for (let attempt = 0; ; attempt += 1) {
        try {
          const wanted = {
            name: network.name,
            driver: 'bridge',
            network_interface: network.bridge,
            dns_enabled: false,
            ipv6_enabled: false,
            subnets: [{ subnet: subnetFor(network, attempt) }],
            labels,
          };
          await libpod(socketPath, 'POST', '/networks/create', wanted, patience);
          return;
        } catch (error) {
          if (statusOf(error) === 409) return;
          // A subnet in use is answered like any other failure.
          if (statusOf(error) !== 500 || attempt + 1 >= SUBNET_TRIES) throw error;
        }
      }
    },
  };
}
