import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const CONF = '/etc/containers/containers.conf';
/** Where Podman's packages put its init; containers.conf may name another. */
const INIT_PLACES = [
  '/usr/libexec/podman/catatonit',
  '/usr/local/libexec/podman/catatonit',
  '/usr/lib/podman/catatonit',
  '/usr/local/lib/podman/catatonit',
];

/** Whether Podman has an init to start containers with. */
export function hasInit(): boolean {
  const named = setting('init_path');
  return named === undefined ? INIT_PLACES.some((path) => existsSync(path)) : existsSync(named);
}

/** Whether Podman begins a container's /etc/hosts with the host's own, names and all. */
export function copiesHostNames(): boolean {
  const file = setting('base_hosts_file');
  return file !== 'none' && file !== 'image';
}

/** As containers.conf and the files beside it have it; the last one that sets it counts. */
function setting(key: string): string | undefined {
  const pattern = new RegExp(`^\\s*${key}\\s*=\\s*"([^"]*)"`, 'gm');
  return configurations()
    .flatMap((text) => [...text.matchAll(pattern)].map(([, value]) => value))
    .at(-1);
}

function configurations(): string[] {
  const folder = `${CONF}.d`;
  const beside = existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => name.endsWith('.conf'))
        .sort()
    : [];
  return [CONF, ...beside.map((name) => join(folder, name))]
    .filter((path) => existsSync(path))
    .map((path) => readFileSync(path, 'utf8'));
}
