import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { Config } from '../config/config.ts';
import type { Log } from '../domain/log.ts';
import { NO_NODE } from '../domain/node.ts';
import { OwnName } from '../pool/own-name.ts';
import type { LastHeard } from '../pool/interfaces/node-registry.ts';
import type { Store } from '../store/store.ts';

/** Before anything is done under the node's name. Throws invalid_config where another host has it, which is alive. */
export async function openOwnName(
  { config: { node }, boot: given, stopping, log }: Options,
  { registry }: Pick<Store, 'registry'>,
): Promise<OwnName> {
  const boot = given ?? (await ownBoot());
  const name = new OwnName({ registry, node, host: hostname(), boot, log });
  if (node.name !== NO_NODE) await name.waitUntilFree(stopping);
  return name;
}

/** Another host that says now that it is this node; undefined while there is none, or where nobody can tell. */
export async function otherUnderName(
  { name }: { readonly name: string },
  { registry }: Pick<Store, 'registry'>,
): Promise<LastHeard | undefined> {
  const [boot, heard] = name === NO_NODE ? [] : await Promise.all([ownBoot(), registry.lastHeard()]);
  return boot === undefined || heard?.boot === undefined || heard.boot === boot ? undefined : heard;
}

/** Whether what is recorded of the node is on this host, as far as anybody can tell: on another one it looks lost. */
export async function isThisNode(node: { readonly name: string }, store: Pick<Store, 'registry'>): Promise<boolean> {
  return node.name !== NO_NODE && (await otherUnderName(node, store)) === undefined;
}

interface Options {
  readonly config: Pick<Config, 'node'>;
  readonly boot?: string;
  readonly stopping?: AbortSignal | undefined;
  readonly log: Log;
}

/**
 * Which kernel this process runs on, since when: the same in all containers of a host, and another one on its clone.
 * Undefined where it does not tell.
 */
export async function ownBoot(): Promise<string | undefined> {
  const text = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
  const id = text.trim();
  return /^[0-9a-f-]{36}$/.test(id) ? id : undefined;
}
