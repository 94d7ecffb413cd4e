import type { VariableName } from '../config/variables.ts';

/** What is the same on every host of a fleet, and of use to a worker. */
export const CARRIED_SETTINGS = [
  'DEPLOYMENT',
  'BASE_DOMAIN',
  'PUBLIC_SCHEME',
  'PUBLIC_PORT',
  'PUBLIC_URL',
  'ALLOWED_ORIGINS',
  'CONTAINER_MODE',
  'CONTAINER_IMAGE',
  'CONTAINER_PORT',
  'CONTAINER_PORT_RANGE_START',
  'CONTAINER_PORT_RANGE_END',
  'CONTAINER_PORT_COOLDOWN',
  'PODMAN_SOCKET',
  'DOCKER_SOCKET',
  'CRIU_ENABLED',
  'CHECKPOINT_SHARE',
  'POOL_TARGET_SIZE',
  'POOL_MAX_SIZE',
  'POOL_REPLENISH_THRESHOLD',
  'POOL_DEFAULT_TTL',
  'POOL_MAX_TTL',
  'POOL_MAX_AGE',
  'POOL_OVERRIDES_TEMPLATES',
  'VALKEY_USER',
  'VALKEY_SENTINEL_USER',
  'NATS_USER',
  'QUEUE_REPLICAS',
  'QUEUE_ACK_WAIT',
  'OTEL_EXPORTER_OTLP_ENDPOINT',
  'TRACES_SAMPLE',
] as const satisfies readonly VariableName[];

/** May be given by a file, and is on the other hosts. */
export const CARRIED_SECRETS = [
  'VALKEY_PASSWORD',
  'VALKEY_SENTINEL_PASSWORD',
  'NATS_PASSWORD',
  'NATS_TOKEN',
  'NATS_NKEY_SEED',
  'OTEL_EXPORTER_OTLP_HEADERS',
] as const satisfies readonly VariableName[];

/** Each names a file, whose content the other hosts need. */
export const CARRIED_FILES = [
  'VALKEY_CA_FILE',
  'VALKEY_CERT_FILE',
  'VALKEY_KEY_FILE',
  'NATS_CA_FILE',
  'NATS_CERT_FILE',
  'NATS_KEY_FILE',
  'NATS_CREDS_FILE',
  'TEMPLATES_FILE',
] as const satisfies readonly VariableName[];

/** Worked out for each fleet. */
export const ADDRESS_SETTINGS = ['VALKEY_URL', 'NATS_URL', 'PROXY_ADDRESSES', 'PROXY_INTERNAL_URL'] as const;
