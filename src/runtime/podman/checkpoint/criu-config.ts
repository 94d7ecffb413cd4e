import { randomBytes } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Type from 'typebox';
import Value from 'typebox/value';
import { DEFAULT_DUMP, type DumpOptions } from '../../../domain/template.ts';
import { parseExactly, writeExactly } from './exact-json.ts';

/**
 * An annotation of a container that names a file of CRIU's options on the host, actions that root runs there among
 * them. Podman takes annotations over from images, so an image's own must never count.
 */
export const CRIU_CONFIG = 'org.criu.config';

/** Without the annotation runc has CRIU read this one, so what an operator wrote there is kept. */
const HOST_CONFIG = '/etc/criu/runc.conf';
/** Of runc as root, which has no other way to be told an annotation of a container that exists. */
const RUNC_STATES = '/run/runc';
const RuncState = Type.Object({
  config: Type.Object({ labels: Type.Union([Type.Array(Type.String()), Type.Null()]) }),
});

/** As CRIU writes them; none where it does so anyway. */
export function dumpConfig({ ghostLimitBytes, tcpClose, linkRemap }: DumpOptions): readonly string[] {
  return [
    ...(ghostLimitBytes === DEFAULT_DUMP.ghostLimitBytes ? [] : [`ghost-limit ${ghostLimitBytes}`]),
    ...(tcpClose ? ['tcp-close'] : []),
    ...(linkRemap ? ['link-remap'] : []),
  ];
}

/**
 * A socket whose connection has ended, but that the app had not closed yet, is in no table of the kernel, so it cannot
 * be waited for. Only so can it be restored, ended as it was.
 */
export const RESTORE_CONFIG: readonly string[] = ['tcp-close'];

export async function writeCriuConfig(file: string, options: readonly string[]): Promise<void> {
  const hosts = await readFile(HOST_CONFIG, 'utf8').catch(() => '');
  await writeFile(file, `${[hosts.trimEnd(), ...options].filter((line) => line !== '').join('\n')}\n`, { mode: 0o600 });
}

/**
 * Has runc hand CRIU this file when it dumps the container with this id. Throws an error when runc does not keep its
 * state as it is known to.
 */
export async function setCriuConfig(id: string, file: string): Promise<void> {
  const path = join(RUNC_STATES, id, 'state.json');
  const state = parseExactly(await readFile(path, 'utf8'));
  if (!Value.Check(RuncState, state)) throw new Error(`${path} is not as runc is known to write it`);
  const others = (state.config.labels ?? []).filter((label) => !label.startsWith(`${CRIU_CONFIG}=`));
  state.config.labels = [...others, `${CRIU_CONFIG}=${file}`];
  const draft = `${path}.${randomBytes(4).toString('hex')}`;
  await writeFile(draft, writeExactly(state), { mode: 0o600 });
  await rename(draft, path);
}
