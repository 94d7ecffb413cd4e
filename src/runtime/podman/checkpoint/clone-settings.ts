import { randomBytes } from 'node:crypto';
import { realpathSync } from 'node:fs';
import Type, { type Static, type TSchema } from 'typebox';
import Value from 'typebox/value';
import type { DatabaseFolders } from '../../../domain/database.ts';
import { DATABASE_MOUNT } from '../../../domain/template.ts';
import type { ContainerSpec } from '../../../pool/interfaces/container-runtime.ts';
import { containerLabels, databaseSource, nameServers } from '../../docker/container-options.ts';
import type { InstanceNetwork } from '../../isolation/network-plan.ts';
import { CRIU_CONFIG } from './criu-config.ts';
import { parseExactly, writeExactly } from './exact-json.ts';

export interface CloneContext {
  readonly deployment: string;
  readonly node: string;
  readonly network: InstanceNetwork;
  readonly resolvers: readonly string[];
  readonly databaseFolders: DatabaseFolders | undefined;
}

/** The dumped container's settings, as Podman's two files hold them. */
export interface DumpedSettings {
  readonly config: string;
  readonly spec: string;
}

export interface CloneSettings extends DumpedSettings {
  /** Names of anonymous volumes: the source's, and the clone's in its place. */
  readonly volumes: readonly { readonly from: string; readonly to: string }[];
}

/** What is changed in `config.dump`; everything else stays as it was dumped. */
const DumpedConfig = Type.Object({
  labels: Type.Optional(Type.Record(Type.String(), Type.String())),
  newNetworks: Type.Record(Type.String(), Type.Object({})),
  dnsServer: Type.Optional(Type.Array(Type.String())),
  namedVolumes: Type.Optional(
    Type.Array(Type.Object({ volumeName: Type.String(), setAnonymous: Type.Optional(Type.Boolean()) })),
  ),
  spec: Type.Optional(Type.Unknown()),
});

/** And in `spec.dump`. */
const DumpedSpec = Type.Object({
  hostname: Type.Optional(Type.String()),
  annotations: Type.Optional(Type.Record(Type.String(), Type.String())),
  process: Type.Object({ env: Type.Optional(Type.Array(Type.String())) }),
  mounts: Type.Array(Type.Object({ destination: Type.String(), source: Type.Optional(Type.String()) })),
});

/** Where Podman has its init inside. */
const INIT_MOUNT = '/run/podman-init';
const OUR_LABELS = 'try-it-now.';

/**
 * The settings of one clone: everything that named the source names the clone, and what may differ between here and
 * where the checkpoint was made (deployment, network, name servers, the database server's folder) is as a cold start
 * here has it. CRIU obeys `criuConfig` and no file that the image names. Throws an error when the files are not as
 * Podman writes them, and database_unavailable.
 */
export function cloneSettings(
  dumped: DumpedSettings,
  spec: ContainerSpec,
  around: CloneContext,
  criuConfig: string,
): CloneSettings {
  const config = checked(DumpedConfig, 'config.dump', dumped.config);
  const volumes = (config.namedVolumes ?? []).map((volume) => {
    const from = volume.volumeName;
    // Podman restores a volume's content only into one that is not there yet, and removes with
    // the container what is anonymous.
    volume.volumeName = randomBytes(32).toString('hex');
    volume.setAnonymous = true;
    return { from, to: volume.volumeName };
  });
  const imageLabels = Object.entries(config.labels ?? {}).filter(([key]) => !key.startsWith(OUR_LABELS));
  config.labels = { ...Object.fromEntries(imageLabels), ...containerLabels(spec, around) };
  config.newNetworks = { [around.network.name]: { interface_name: 'eth0' } };
  config.dnsServer = nameServers(around.network, around.resolvers);
  // The other file has it as well, and that is the one Podman reads.
  delete config.spec;
  const changed = checked(DumpedSpec, 'spec.dump', dumped.spec);
  changed.annotations = { ...changed.annotations, [CRIU_CONFIG]: criuConfig };
  makeOwn(changed, volumes, spec, around);
  return { config: writeExactly(config), spec: writeExactly(changed), volumes };
}

/**
 * The environment reaches later commands in the container only: the restored processes have what they were dumped with.
 */
function makeOwn(
  spec: Static<typeof DumpedSpec>,
  volumes: CloneSettings['volumes'],
  { name, env, template }: ContainerSpec,
  { databaseFolders }: CloneContext,
): void {
  spec.hostname = name;
  const own: Readonly<Record<string, string>> = { ...env, HOSTNAME: name };
  const kept = (spec.process.env ?? []).filter((entry) => !Object.hasOwn(own, entry.split('=')[0] ?? ''));
  spec.process.env = [...kept, ...Object.entries(own).map(([key, value]) => `${key}=${value}`)];
  const source = databaseSource(template, databaseFolders);
  for (const mount of spec.mounts) {
    if (mount.destination === DATABASE_MOUNT && source !== undefined) mount.source = source;
    if (mount.destination === INIT_MOUNT && mount.source !== undefined) mount.source = realFile(mount.source);
    for (const { from, to } of volumes)
      if (mount.source?.includes(`/${from}/`) === true) mount.source = mount.source.replace(from, to);
  }
}

/** CRIU mounts a link as the link that it is, and fails; Debian's package has one there. */
function realFile(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    // Not there at all: the restore says so.
    return path;
  }
}

function checked<T extends TSchema>(schema: T, file: string, text: string): Static<T> {
  const value = parseExactly(text);
  if (!Value.Check(schema, value)) throw new Error(`${file} is not as Podman is known to write it`);
  return value;
}
