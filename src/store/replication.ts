import type { Redis as Valkey } from 'iovalkey';
import { storeError } from './client.ts';

export interface Replica {
  /** As the primary sees it. */
  readonly address: string;
  /** Whether it is sent each change; one that still reads all in, or is not heard of, is not. */
  readonly online: boolean;
  /** Since the primary last heard of it. */
  readonly lagMs: number;
  /** Of changes that it is not known to have. */
  readonly behindBytes: number;
}

export interface Replication {
  /** Undefined on a primary. */
  readonly replicaOf: string | undefined;
  readonly replicas: readonly Replica[];
}

/** The fields of a section of INFO. Throws store_unavailable. */
export async function serverInfo(client: Valkey, section: string): Promise<ReadonlyMap<string, string>> {
  const text = await client.info(section).catch((error: unknown) => {
    throw storeError(error);
  });
  return new Map(
    text.split('\r\n').flatMap((line): [string, string][] => {
      const colon = line.indexOf(':');
      return colon === -1 ? [] : [[line.slice(0, colon), line.slice(colon + 1)]];
    }),
  );
}

/** Undefined where the server does not tell. */
export async function serverSetting(client: Valkey, name: string): Promise<string | undefined> {
  const reply = await client.config('GET', name).catch(() => []);
  return (reply as string[])[1];
}

/** Throws store_unavailable. */
export async function readReplication(client: Valkey): Promise<Replication> {
  const found = await serverInfo(client, 'replication');
  const offset = Number(found.get('master_repl_offset'));
  const replicas = [...found].flatMap(([name, value]): Replica[] => {
    if (!/^slave\d+$/.test(name)) return [];
    const fields = new Map(
      value.split(',').map((field): [string, string] => {
        const [key = '', ...rest] = field.split('=');
        return [key, rest.join('=')];
      }),
    );
    return [
      {
        address: `${fields.get('ip') ?? '?'}:${fields.get('port') ?? '?'}`,
        online: fields.get('state') === 'online',
        lagMs: Number(fields.get('lag')) * 1_000,
        behindBytes: Math.max(0, offset - Number(fields.get('offset'))),
      },
    ];
  });
  const isReplica = found.get('role') === 'slave';
  return {
    replicaOf: isReplica ? `${found.get('master_host') ?? '?'}:${found.get('master_port') ?? '?'}` : undefined,
    replicas,
  };
}
