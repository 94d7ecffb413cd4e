import type { Redis as Valkey } from 'iovalkey';
import { storeError } from '../store/client.ts';
import { keys } from '../store/keys.ts';
import { serverInfo, serverSetting } from '../store/replication.ts';
import { accessText, type ValkeyAccess } from '../store/valkey-access.ts';
import { failure, isAtLeast, notChecked, ok, warning, type Check, type Observation, type Shared } from './check.ts';
import { replicationChecks } from './valkey-replication.ts';

const PART = 'Valkey';
const OLDEST = [7, 2] as const;
const PINGS = 20;
/** On the same machine a ping takes 0.05 ms, in the same network below 1 ms; each click waits for one. */
const SLOW_MS = 5;
const CLOCK_WARNING_MS = 1_000;
const CLOCK_FAILURE_MS = 30_000;
const START =
  'Start it (`systemctl start try-it-now-valkey`), or correct VALKEY_ADDR or VALKEY_URL, and VALKEY_PASSWORD. ' +
  'Where its log says "Bad file format" (`journalctl -u try-it-now-valkey -e`), a power cut damaged its data: ' +
  'copy it, then `valkey-check-aof --fix`, as docs/operations.md has it.';

/** The server that holds all state. */
export function valkeyChecks(valkey: Shared<Valkey>, access: ValkeyAccess): Check[] {
  const address = accessText(access);
  return [
    { part: PART, what: 'reachable', remedy: START, run: async () => [await reachable(await valkey.get(), address)] },
    { part: PART, what: 'version', run: async () => [version(await serverInfo(await valkey.need(), 'server'))] },
    { part: PART, what: 'persistence', run: async () => settings(await valkey.need()) },
    { part: PART, what: 'own log', run: async () => [await ownLog(await valkey.need())] },
    { part: PART, what: 'memory', run: async () => [memory(await serverInfo(await valkey.need(), 'memory'))] },
    ...replicationChecks(valkey, access),
    { part: 'Clock', what: 'against Valkey', run: async () => [await clock(await valkey.need())] },
  ];
}

async function reachable(client: Valkey, address: string): Promise<Observation> {
  const times: number[] = [];
  for (let turn = 0; turn < PINGS; turn += 1) {
    const startedAt = performance.now();
    await client.ping().catch((error: unknown) => {
      throw storeError(error);
    });
    times.push(performance.now() - startedAt);
  }
  const median = times.sort((a, b) => a - b)[PINGS / 2] ?? 0;
  const seen = `answers at ${address} in ${median.toFixed(2)} ms (median of ${PINGS})`;
  return median <= SLOW_MS
    ? ok('reachable', seen)
    : warning(
        'reachable',
        seen,
        'Every click waits for it: move Valkey nearer, or see `valkey-cli --latency` and `valkey-cli slowlog get`.',
      );
}

function version(server: ReadonlyMap<string, string>): Observation {
  const own = server.get('valkey_version');
  const found = own ?? server.get('redis_version') ?? '?';
  const seen = `${own === undefined ? 'Redis' : 'Valkey'} ${found}`;
  return isAtLeast(found, OLDEST)
    ? ok('version', seen)
    : failure(
        'version',
        `${seen}, but ${OLDEST.join('.')} is the oldest that works`,
        'Install Valkey 8 (`apt-get install valkey-server`; on Debian 12 with `-t bookworm-backports`).',
      );
}

async function settings(client: Valkey): Promise<Observation[]> {
  const [appendOnly, policy] = [
    await serverSetting(client, 'appendonly'),
    await serverSetting(client, 'maxmemory-policy'),
  ];
  const hidden = 'the server does not answer CONFIG GET';
  return [
    appendOnly === undefined
      ? notChecked('persistence', hidden)
      : appendOnly === 'yes'
        ? ok('persistence', 'appendonly is on')
        : warning(
            'persistence',
            'appendonly is off: a restart of Valkey forgets every instance',
            'Switch it on (`valkey-cli config set appendonly yes`), and put `appendonly yes` into its ' +
              'configuration file.',
          ),
    policy === undefined
      ? notChecked('eviction', hidden)
      : policy === 'noeviction'
        ? ok('eviction', 'maxmemory-policy is noeviction')
        : failure(
            'eviction',
            `maxmemory-policy is ${policy}: short of memory, it would discard records of instances`,
            'Set it (`valkey-cli config set maxmemory-policy noeviction`), and put `maxmemory-policy noeviction` ' +
              'into its configuration file.',
          ),
  ];
}

/**
 * Valkey reads its log at the start as the user `default`, and leaves out every transaction in it that this user may
 * not carry out: all that our scripts wrote, as after a mere `user default off`.
 */
async function ownLog(client: Valkey): Promise<Observation> {
  const what = 'own log';
  const change = ['HSET', keys.instances, 'id', 'record'];
  const answer = await client.call('ACL', 'DRYRUN', 'default', ...change).catch(() => null);
  if (answer === null)
    return notChecked(
      what,
      'its user may not ask whether a restart of Valkey would read all of it (`+acl|dryrun` lets it)',
    );
  return answer === 'OK'
    ? ok(what, 'a restart of Valkey reads all of it')
    : failure(
        what,
        'a restart of Valkey would leave out what was written by scripts: the user `default`, as whom it reads its ' +
          'log, has no rights',
        'Give them back and leave it switched off: `user default off ~* &* +@all` in its configuration file, and at ' +
          'once by `valkey-cli acl setuser default "~*" "&*" +@all`, before it is restarted.',
      );
}

function memory(found: ReadonlyMap<string, string>): Observation {
  const [used, most] = [Number(found.get('used_memory')), Number(found.get('maxmemory'))];
  const seen =
    `${Math.ceil(used / 2 ** 20)} MiB ` + `used${most > 0 ? ` of ${Math.floor(most / 2 ** 20)} MiB` : ', no limit'}`;
  return most === 0 || used < most * 0.9
    ? ok('memory', seen)
    : failure(
        'memory',
        seen,
        'Raise `maxmemory` (`valkey-cli config set maxmemory 512mb`): when it is full, no instances can be made, no ' +
          'visit goes on for longer, and nobody can wait in line.',
      );
}

async function clock(client: Valkey): Promise<Observation> {
  const before = Date.now();
  const [seconds = 0, microseconds = 0] = (await client.time()).map(Number);
  const offsetMs = Math.round((before + Date.now()) / 2 - (seconds * 1_000 + microseconds / 1_000));
  const seen = `this host is ${Math.abs(offsetMs)} ms ${offsetMs < 0 ? 'behind' : 'ahead'}`;
  if (Math.abs(offsetMs) <= CLOCK_WARNING_MS) return ok('against Valkey', seen);
  const remedy = 'Set both clocks by NTP (`timedatectl set-ntp true` on each host).';
  return Math.abs(offsetMs) <= CLOCK_FAILURE_MS
    ? warning('against Valkey', seen, remedy)
    : failure('against Valkey', seen, remedy);
}
