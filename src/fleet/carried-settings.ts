import type { VariableName } from '../config/variables.ts';

/**
 * What is the same on every host of a fleet, and of use to a worker. A worker's own watches write HARM_ and
 * UNUSED_CPU_ ends; visits would end otherwise on each host.
 */
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
  'UNUSED_CPU_THROTTLE_AFTER',
  'UNUSED_CPU_END_AFTER',
  'CRIU_ENABLED',
  'CHECKPOINT_SHARE',
  'POOL_TARGET_SIZE',
  'POOL_MAX_SIZE',
  'POOL_REPLENISH_THRESHOLD',
  'POOL_DEFAULT_TTL',
  'POOL_MAX_TTL',
  'POOL_MAX_AGE',
  'POOL_OVERRIDES_TEMPLATES',
  'POOL_HEALTH_INTERVAL',
  'HARM_REMEMBERED',
  'HARM_PAUSE',
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

/** What each host has its own of; `fleet join` leaves it as it is. */
export const HOST_SETTINGS = [
  'NODE_NAME',
  'NODE_ADDRESS',
  'NODE_LABELS',
  'NODE_CAPACITY',
  'PODMAN_SOCKET',
  'DOCKER_SOCKET',
  'SIMULATED_SOCKET',
  'REGISTRY_AUTH_FILE',
  'DISK_RESERVE',
  'CHECKPOINT_DIR',
  'CHECKPOINT_PATH',
  'DATABASE_SOCKET',
  'DATABASE_SERVER_URL',
  'DATABASE_USER',
  'DATABASE_PASSWORD',
  'POSTGRES_SOCKET',
  'POSTGRES_SERVER_URL',
  'POSTGRES_USER',
  'POSTGRES_PASSWORD',
  'QUEUE_WORKER_COUNT',
  'WORKER_METRICS_ADDR',
  'SHUTDOWN_GRACE',
  'LOG_LEVEL',
] as const satisfies readonly VariableName[];

/** Of no use to a worker: servers, proxies, discovery and commands on their hosts go by them. */
export const SERVER_SETTINGS = [
  'POOL_REPLENISH_INTERVAL',
  'RATE_LIMIT_HOURLY',
  'RATE_LIMIT_DAILY',
  'HELD_LIMIT',
  'HELD_LIMIT_NETWORK',
  'GATE_MODE',
  'GATE_DIFFICULTY',
  'PROXY_LISTEN',
  'PROXY_RESPONSE_TIMEOUT',
  'CADDY_ADMIN_URL',
  'DISCOVERY_ADDR',
  'DISCOVERY_METRICS_ADDR',
  'DISCOVERY_SNAPSHOT_FILE',
  'VALKEY_ADDR',
  'SERVER_HOST',
  'SERVER_PORT',
  'API_KEY',
  'TRUSTED_PROXIES',
  'FUNNEL_SITES',
  'WEBHOOKS_FILE',
  'CONNECT_AHEAD',
  'LANGUAGES_DIR',
  'BRANDING_FILE',
  'ADMIN_ADDR',
  'OPERATOR_KEYS',
  'DASHBOARD_URL',
  'DASHBOARD_SESSION',
  'OIDC_ISSUER',
  'OIDC_CLIENT_ID',
  'OIDC_CLIENT_SECRET',
  'OIDC_SCOPE',
  'OIDC_CLAIM',
  'OIDC_ROLES',
  'ADMIN_URL',
  'OPERATOR_KEY',
  'TRACES_PARENTS',
  'SHUTDOWN_DRAIN',
  'PLACEMENT',
] as const satisfies readonly VariableName[];
