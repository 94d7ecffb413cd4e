import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { Config } from '../config/config.ts';
import type { Log } from '../domain/log.ts';
import { NO_NODE } from '../domain/node.ts';
import { requireOwnName } from '../pool/own-name.ts';
import type { Store } from '../store/store.ts';

/**
 * Which kernel this process runs on, since when: the same in all containers of a host, and another one on its clone.
 * Undefined where it does not tell. Throws invalid_config where another living host has the node's name.
 */
export async function ownBoot(
  { config: { node }, boot: given, stopping, log }: Options,
  { registry }: Pick<Store, 'registry'>,
): Promise<string | undefined> {
  const boot = given ?? (await bootId());
  if (node.name !== NO_NODE) await requireOwnName({ registry, node, host: hostname(), boot, log, stopping });
  return boot;
}

interface Options {
  readonly config: Pick<Config, 'node'>;
  readonly boot?: string;
  readonly stopping?: AbortSignal | undefined;
  readonly log: Log;
}

async function bootId(): Promise<string | undefined> {
  const text = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
  const id = text.trim();
  return /^[0-9a-f-]{36}$/.test(id) ? id : undefined;
}
