import { BlockList, isIP, isIPv6 } from 'node:net';
import type { Redis as Valkey } from 'iovalkey';
import { readReplication, serverSetting, type Replica } from '../store/replication.ts';
import { viewSentinels, type SentinelView } from '../store/sentinels.ts';
import { endpointText, type Endpoint, type SentinelAccess, type ValkeyAccess } from '../store/valkey-access.ts';
import { failure, notChecked, ok, warning, type Check, type Observation, type Shared } from './check.ts';

const PART = 'Valkey';
const SENTINEL_TIMEOUT_MS = 1_500;
/** A replica reports each second. */
const LAG_WARNING_MS = 10_000;

/** Whether the server is the right one, what would take its place, and who may read what is said to it. */
export function replicationChecks(valkey: Shared<Valkey>, access: ValkeyAccess): Check[] {
  const { sentinel } = access;
  return [
    { part: PART, what: 'role', run: async () => replication(await valkey.need(), sentinel) },
    ...(sentinel === undefined
      ? []
      : [{ part: PART, what: 'Sentinels', run: async () => [await sentinels(sentinel, access)] }]),
    { part: PART, what: 'transport', run: () => Promise.resolve([transport(access)]) },
  ];
}

async function replication(client: Valkey, sentinel: SentinelAccess | undefined): Promise<Observation[]> {
  const { replicaOf, replicas } = await readReplication(client);
  if (replicaOf !== undefined)
    return [
      failure(
        'role',
        `is a replica of ${replicaOf}, and takes no changes`,
        'Point VALKEY_ADDR or VALKEY_URL at the primary, or make this one it (`valkey-cli replicaof no one`).',
      ),
    ];
  return [
    ok('role', sentinel === undefined ? 'a primary' : `the primary of ${sentinel.master}`),
    connected(replicas, sentinel !== undefined),
    ...(sentinel === undefined ? [] : [await fewestReplicas(client)]),
  ];
}

function connected(replicas: readonly Replica[], isNeeded: boolean): Observation {
  const online = replicas.filter((replica) => replica.online);
  if (online.length === 0)
    return isNeeded
      ? failure(
          'replicas',
          'none is connected: nothing can take the place of the primary',
          'Start them, and see their logs for why they do not reach it (`valkey-cli info replication` on each).',
        )
      : ok('replicas', 'none: while this Valkey is down, nothing is handed out');
  const seen = online
    .map(({ address, lagMs, behindBytes }) => `${address} ${lagMs / 1_000} s and ${behindBytes} bytes behind`)
    .join(', ');
  return online.every(({ lagMs }) => lagMs < LAG_WARNING_MS)
    ? ok('replicas', seen)
    : warning('replicas', seen, 'See whether that host or the network between them is overloaded.');
}

async function fewestReplicas(client: Valkey): Promise<Observation> {
  const fewest = await serverSetting(client, 'min-replicas-to-write');
  if (fewest === undefined) return notChecked('min-replicas', 'the server does not answer CONFIG GET');
  return Number(fewest) > 0
    ? ok(
        'min-replicas',
        `takes changes while it has ${fewest} or more replicas, and visitors are told of what one of them has`,
      )
    : warning(
        'min-replicas',
        'min-replicas-to-write is 0: a primary that is cut off goes on handing out, and all of that is lost with it',
        'Set it on each server (`valkey-cli config set min-replicas-to-write 1`), and put it into its configuration ' +
          'file.',
      );
}

async function sentinels(sentinel: SentinelAccess, { tls }: ValkeyAccess): Promise<Observation> {
  const views = await viewSentinels({ ...sentinel, tls, timeoutMs: SENTINEL_TIMEOUT_MS });
  const named = views.flatMap(({ primary }) => ('why' in primary ? [] : [endpointText(primary)]));
  const seen = [`${named.length} of ${views.length} answer`, ...views.flatMap(troubles)].join('; ');
  if (new Set(named).size > 1)
    return warning(
      'Sentinels',
      `they do not agree which server is the primary (${named.join(', ')}); ${seen}`,
      'Run this again in a moment; if they still do not, see whether they reach each other (`valkey-cli -p 26379 ' +
        `sentinel sentinels ${sentinel.master}\`).`,
    );
  if (views.some(({ noQuorum }) => noQuorum !== undefined) || named.length <= views.length / 2)
    return failure('Sentinels', seen, 'Start those that are down: too few are left to have a replica take over.');
  if (named.length < views.length)
    return warning('Sentinels', seen, 'Start those that are down, or correct VALKEY_URL.');
  return ok('Sentinels', `${seen}, and name ${named[0] ?? '?'}`);
}

function troubles({ endpoint, primary, noQuorum }: SentinelView): string[] {
  if ('why' in primary) return [`${endpointText(endpoint)} ${primary.why}`];
  return noQuorum === undefined ? [] : [`${endpointText(endpoint)} says ${noQuorum}`];
}

const PRIVATE = new BlockList();
for (const [network, bits] of [
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
] as const)
  PRIVATE.addSubnet(network, bits);
PRIVATE.addAddress('::1', 'ipv6');
PRIVATE.addSubnet('fc00::', 7, 'ipv6');
PRIVATE.addSubnet('fe80::', 10, 'ipv6');

/** A name without a dot is one of this host's or of its containers' network. */
function isPrivate({ host }: Endpoint): boolean {
  return isIP(host) === 0 ? !host.includes('.') : PRIVATE.check(host, isIPv6(host) ? 'ipv6' : 'ipv4');
}

function transport({ tls, sentinel, host, port }: ValkeyAccess): Observation {
  if (tls !== undefined) return ok('transport', 'by TLS');
  const open = (sentinel?.endpoints ?? [{ host, port }]).filter((endpoint) => !isPrivate(endpoint));
  return open.length === 0
    ? ok('transport', 'in clear text, within this host or a private network')
    : warning(
        'transport',
        `in clear text to ${open.map(endpointText).join(', ')}: whoever is on the way reads the password and all state`,
        'Have Valkey speak TLS (`tls-port`) and begin VALKEY_URL with valkeys://, or join the hosts by a private ' +
          'network.',
      );
}
