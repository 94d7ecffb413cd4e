import type { OperatorKey } from '../../src/domain/operator-role.ts';
import { ENGINES } from '../../src/runtime/engines.ts';
import type { Stack } from './stack.ts';

/** What a command is told on the command line of a host where this stack runs. */
export function environmentOf({ config, valkey, nats, caddy }: Stack): Readonly<Record<string, string>> {
  const { proxy, server, admin, containers, deployment } = config;
  const { mode, sockets, portRange, portCoolDownMs } = containers;
  return {
    CONTAINER_MODE: mode,
    CONTAINER_IMAGE: config.templates[0]?.image ?? '',
    CONTAINER_PORT: String(config.templates[0]?.port),
    ...Object.fromEntries(
      ENGINES.flatMap(({ name, socket }) => {
        const path = sockets[name];
        return path === undefined ? [] : [[socket.variable, path]];
      }),
    ),
    POOL_TARGET_SIZE: String(config.templates[0]?.pool.target),
    POOL_MAX_SIZE: String(config.templates[0]?.pool.max),
    CONTAINER_PORT_RANGE_START: String(portRange.start),
    CONTAINER_PORT_RANGE_END: String(portRange.end),
    CONTAINER_PORT_COOLDOWN: `${portCoolDownMs}ms`,
    VALKEY_ADDR: valkey.address,
    NATS_URL: nats.url,
    CADDY_ADMIN_URL: caddy.adminUrl,
    DEPLOYMENT: deployment,
    PROXY_LISTEN: proxy.listen,
    SERVER_PORT: String(server.port),
    ADMIN_ADDR: `${admin.host}:${admin.port}`,
    DISCOVERY_ADDR: `${proxy.discovery.host}:${proxy.discovery.port}`,
    DISCOVERY_METRICS_ADDR: `${proxy.discovery.metrics.host}:${proxy.discovery.metrics.port}`,
    CHECKPOINT_DIR: config.checkpoints.dir,
    RATE_LIMIT_HOURLY: '0',
    RATE_LIMIT_DAILY: '0',
    ...(admin.operatorKeys[0] === undefined ? {} : { OPERATOR_KEYS: admin.operatorKeys.map(spelled).join(',') }),
  };
}

function spelled({ role, previewsOf, key }: OperatorKey): string {
  return `${role}${previewsOf === undefined ? '' : `@${previewsOf}`}:${key}`;
}
