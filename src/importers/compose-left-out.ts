import type { ComposeService } from './compose-file.ts';

/** What a template has a place for; what of it cannot be carried over is said where it is read. */
const CARRIED: readonly (keyof ComposeService)[] = [
  'image',
  'build',
  'entrypoint',
  'command',
  'user',
  'working_dir',
  'environment',
  'env_file',
  'ports',
  'expose',
  'depends_on',
  'healthcheck',
  'volumes',
  'configs',
  'secrets',
  'tmpfs',
  'cap_add',
  'sysctls',
  'read_only',
  'init',
  'shm_size',
  'mem_limit',
  'cpus',
  'pids_limit',
  'deploy',
  'stop_signal',
];
/** Always so in an instance. */
const MEANT_ANYWAY = ['cap_drop'];
/** Keys of Compose that would open the host to a visitor, or whose absence changes what the app meets. */
const REASONS: Readonly<Record<string, string>> = {
  privileged:
    'privileged is left out: a visitor would be root on the host. Name single `capabilities` if it needs them.',
  devices: 'devices are left out: an instance has none of the host.',
  network_mode: 'network_mode is left out: an instance has a network of its own.',
  pid: 'pid is left out: an instance has processes of its own.',
  ipc: 'ipc is left out: an instance has shared memory of its own (limits.shm).',
  extends: 'extends is not followed: give the file that `docker compose config` prints instead.',
  profiles: 'profiles is left out: whatever is listed here is started.',
};
/** By which services may reach each other in Compose. */
const NAMES = ['container_name', 'hostname', 'domainname', 'links', 'external_links', 'extra_hosts'];
/** Parts of keys that are carried. */
const CARRIED_PARTS: Readonly<Record<string, readonly string[]>> = {
  healthcheck: ['test', 'disable'],
  deploy: ['resources'],
  'deploy.resources': ['limits'],
  'deploy.resources.limits': ['memory', 'cpus', 'pids'],
};

/** Of each key that no template has, or that no instance may have, what a person should know. */
export function leftOut(service: ComposeService): string[] {
  const keys = Object.keys(service).filter(
    (key) => !key.startsWith('x-') && !isOff(service[key as keyof ComposeService]) && !MEANT_ANYWAY.includes(key),
  );
  const others = keys.filter((key) => !CARRIED.some((carried) => carried === key) && REASONS[key] === undefined);
  const parts = [...partsOf(service.healthcheck, 'healthcheck'), ...partsOf(service.deploy, 'deploy')];
  const names = [...keys.filter((key) => NAMES.includes(key)), ...(hasAliases(service) ? ['aliases'] : [])];
  return [
    ...keys.flatMap((key) => REASONS[key] ?? []),
    ...(others.length + parts.length > 0
      ? [`Left out, as templates have nothing of the kind: ${[...others, ...parts].join(', ')}.`]
      : []),
    ...(names.length > 0
      ? [`${names.join(', ')}: the containers of an instance find each other by the names of its services alone.`]
      : []),
  ];
}

function isOff(value: unknown): boolean {
  return value === false || value === null || (Array.isArray(value) && value.length === 0);
}

function partsOf(value: unknown, path: string): string[] {
  const carried = CARRIED_PARTS[path];
  if (carried === undefined || typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    carried.includes(key) ? partsOf(inner, `${path}.${key}`) : [`${path}.${key}`],
  );
}

function hasAliases(service: ComposeService): boolean {
  const { networks } = service as { readonly networks?: unknown };
  if (typeof networks !== 'object' || networks === null || Array.isArray(networks)) return false;
  return Object.values(networks).some((each) => typeof each === 'object' && each !== null && 'aliases' in each);
}
