import type { ContainerEngine } from '../runtime/engine.ts';
import { ENGINES, type KnownEngine } from '../runtime/engines.ts';
import { duration, integer, path, size } from './parsers.ts';
import { group, type Defaulted, type Variable } from './variable.ts';

const containers = group('Containers');

/** The proxy remembers an address and a connection for 1 s each; a port must rest longer, with room for requests. */
const PROXY_MEMORY = '10s';

type SocketVariables = {
  readonly [Known in KnownEngine as Known['socket']['variable']]: Known extends ContainerEngine
    ? Defaulted<string>
    : Variable<string>;
};
const engineSockets = Object.fromEntries(
  ENGINES.map(({ socket }) => [
    socket.variable,
    socket.default === undefined
      ? containers.optional(path, socket.otherwise, socket.about)
      : containers.required(path, socket.default, socket.about),
  ]),
) as SocketVariables;

/** What containers take of their host: ports, room on its disk, the engine's socket. */
export const CONTAINER_HOST_VARIABLES = {
  CONTAINER_PORT_RANGE_START: containers.required(
    integer(1024, 65_535, 20_000),
    '20000',
    'The first host port, on the loopback address, that instances may be published on.',
  ),
  CONTAINER_PORT_RANGE_END: containers.required(
    integer(1024, 65_535, 29_999),
    '29999',
    'The last one. Keep the range clear of /proc/sys/net/ipv4/ip_local_port_range, where the kernel takes ' +
      'ports for itself.',
  ),
  CONTAINER_PORT_COOLDOWN: containers.required(
    duration(PROXY_MEMORY, '1h', '12s'),
    '12s',
    'How long a given-back host port rests before another instance gets it. The proxy remembers an address, ' +
      'and keeps an idle connection, for up to two seconds together; with room for requests under way, 10s is ' +
      'the least.',
  ),
  DISK_RESERVE: containers.required(
    size('1MiB', '1024GiB', '1GiB'),
    '1GiB',
    'What stays free of the disk that containers lie on. Below it, or with next to no inodes left, no more instances ' +
      'are started until there is room; visitors keep what they have.',
  ),
  UNUSED_CPU_THROTTLE_AFTER: containers.required(
    duration('10s', '24h', '5m'),
    '5m',
    'How long a visit may keep its processors busy while nobody uses it; then it is left a tenth of them until ' +
      'somebody does. `limits.unused_cpu` of a template may allow it.',
  ),
  UNUSED_CPU_END_AFTER: containers.required(duration('10s', '24h', '15m'), '15m', 'And after how long it ends.'),
  ...engineSockets,
} as const;
