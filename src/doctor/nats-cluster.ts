import { copies, type Copies } from '../queue/copies.ts';
import type { QueueConnection } from '../queue/connection.ts';
import { failure, ok, warning, type Observation } from './check.ts';

const WHAT = 'cluster';
const LOOPBACK = /^(127\.|\[?::1\]?|localhost)/;
const START_OTHERS =
  'Start its other servers (`systemctl start try-it-now-nats` on their hosts); see docs/fleet.md. One that runs most ' +
  'likely had a full disk, and is started again once there is room (docs/operations.md#nats-stores-nothing).';

/** Whether every stream and consumer has a leader, and as many whole copies as are set. */
export async function clusterHealth(connection: QueueConnection): Promise<Observation[]> {
  const { nats, replicas } = connection;
  const { cluster, connect_urls: known = [] } = nats.info ?? {};
  if (cluster === undefined)
    return [
      replicas === 1
        ? ok(WHAT, 'one server, which keeps everything')
        : failure(WHAT, `one server, but QUEUE_REPLICAS is ${replicas}`, START_OTHERS),
    ];
  const all = await copies(connection);
  const leaders = [...new Set(all.flatMap(({ leader }) => leader ?? []))].sort();
  return [
    ok(WHAT, `${cluster}: ${known.length} servers known; ${leaders.join(', ')} lead`),
    ...all.flatMap((one) => problems(one, replicas)),
  ];
}

function problems({ what, wanted, leader, current, lagging, offline }: Copies, setting: number): Observation[] {
  if (leader === undefined)
    return [
      failure(
        `${what} copies`,
        'no server leads it: an election of some seconds, or most of them are down',
        START_OTHERS,
      ),
    ];
  if (wanted !== setting)
    return [
      warning(
        `${what} copies`,
        `${wanted} are set on it, but QUEUE_REPLICAS is ${setting}`,
        'Restart the server (`systemctl restart try-it-now`), which changes it.',
      ),
    ];
  if (current.length >= wanted) return [];
  const why = [
    ...(lagging.length === 0 ? [] : [`behind: ${lagging.join(', ')}`]),
    ...(offline.length === 0 ? [] : [`down: ${offline.join(', ')}`]),
  ];
  return [warning(`${what} copies`, `${current.length} of ${wanted} are whole; ${why.join('; ')}`, START_OTHERS)];
}

/** Who we are to NATS. */
export function login({ nats, login: kind }: QueueConnection): Observation {
  if (kind !== 'none') return ok('login', kind);
  const server = nats.getServer();
  return LOOPBACK.test(server)
    ? ok('login', `none, as nobody but this host reaches ${server}`)
    : warning(
        'login',
        `none at ${server}: whoever reaches it can queue and take tasks`,
        'Have NATS ask for a login (`authorization` in its configuration; see docs/fleet.md), and set NATS_USER and ' +
          'NATS_PASSWORD, or another one, for each process of ours.',
      );
}

/** Whether tasks and the login are readable on the way to another host. */
export function transport({ nats }: QueueConnection): Observation {
  const server = nats.getServer();
  // The client takes TLS wherever it is offered.
  if (nats.info?.tls_required === true || nats.info?.tls_available === true) return ok('TLS', `to ${server}`);
  return LOOPBACK.test(server)
    ? ok('TLS', `none to ${server}, which is this host`)
    : warning(
        'TLS',
        `none to ${server}: tasks and the login can be read on the way`,
        'Give NATS a certificate and write tls:// in NATS_URL, unless the network between is encrypted already.',
      );
}
