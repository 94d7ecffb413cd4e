import type Dockerode from 'dockerode';
import { DOCKER_NAME_SERVICE } from './container-inside.ts';
import { DOCKER } from './descriptor.ts';
import type { Dialect } from './dialect.ts';
import type { EngineOptions } from './engine-options.ts';
import { EngineRuntime, connectEngine } from './engine-runtime.ts';
import { statusOf } from './engine-errors.ts';

const BRIDGE_NAME = 'com.docker.network.bridge.name';

export function createDockerRuntime(options: EngineOptions): EngineRuntime {
  const docker = connectEngine(options.socketPath, undefined, options.patience?.callMs);
  for (const { name, memory } of options.catalogue?.all() ?? [])
    if (memory === 'share')
      options.log.warn({ template: name }, 'Docker starts all containers alike: none share memory');
  return new EngineRuntime(docker, dockerDialect(docker), options);
}

function dockerDialect(docker: Dockerode): Dialect {
  return {
    engine: DOCKER,
    logConfig: { Type: 'json-file', Config: { 'max-size': '1m', 'max-file': '1' } },
    // Its own DNS never answers where it can forward nothing: lookups take 10 s and more to fail. Without any server
    // named, programs ask their own container, which refuses at once.
    mounts: ({ egress }) =>
      egress !== undefined ? [] : [{ Type: 'bind', Source: '/dev/null', Target: '/etc/resolv.conf', ReadOnly: true }],
    // It brings its own.
    hasInit: () => true,
    tmpfsOptions: '',
    nameService: DOCKER_NAME_SERVICE,
    // So that long answers come by UDP as well: by TCP, that service is closed.
    dnsOptions: ['edns0'],
    seccomp: (profile) =>
      Promise.resolve({ option: `seccomp=${profile}`, [Symbol.asyncDispose]: () => Promise.resolve() }),
    createContainer: ({ HostConfig, ...options }, runtime) =>
      docker.createContainer({
        ...options,
        HostConfig: { ...HostConfig, ...(runtime === undefined ? {} : { Runtime: runtime }) },
      }),
    starts: () => Promise.resolve(docker),
    endHung: () => Promise.resolve([]),
    close: () => Promise.resolve(),
    async findNetwork(name) {
      try {
        const found = await docker.getNetwork(name).inspect();
        // Docker also finds a network by the beginning of its id.
        if (found.Name !== name) return undefined;
        // Docker's own DNS forwards with the container's own packets, so the rules govern it.
        return {
          labels: found.Labels ?? {},
          bridge: found.Options?.[BRIDGE_NAME],
          gateway: found.IPAM?.Config?.[0]?.['Gateway'],
          answersDns: false,
        };
      } catch (error) {
        if (statusOf(error) === 404) return undefined;
        throw error;
      }
    },
    async createNetwork(network, labels) {
      try {
        await docker.createNetwork({
          Name: network.name,
          CheckDuplicate: true,
          Driver: 'bridge',
          EnableIPv6: false,
          // Docker can keep members apart by itself; our own rules hold without it.
          Options: { [BRIDGE_NAME]: network.bridge, 'com.docker.network.bridge.enable_icc': 'false' },
          Labels: { ...labels },
        });
      } catch (error) {
        if (statusOf(error) !== 409) throw error;
      }
    },
  };
}
