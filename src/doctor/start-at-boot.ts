import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ok, warning, type Check, type Observation } from './check.ts';

const run = promisify(execFile);
const WHAT = 'start at boot';
const TIMEOUT_MS = 4_000;
const OURS = [
  'try-it-now',
  'try-it-now-worker',
  'try-it-now-discovery',
  'try-it-now-podman',
  'try-it-now-valkey',
  'try-it-now-nats',
  'try-it-now-database-relay',
];
/** Debian's, for those who use them in the place of ours. */
const STATE_SERVERS = ['valkey-server', 'nats-server'];
/** What `systemctl show` says of a unit that nothing starts at boot. */
const STAYS_AWAY = /^(disabled|masked|linked|enabled-runtime)/;

interface Unit {
  readonly name: string;
  readonly isActive: boolean;
  readonly staysAway: boolean;
}

/**
 * What runs now and would not after a restart of the host, which shows at no other time. Silent where no service of
 * ours runs by systemd. `others`: units that this deployment uses here beside its own; `systemctl`: the program.
 */
export function startAtBootCheck(others: readonly string[], systemctl = 'systemctl'): Check {
  const names = [...new Set([...OURS, ...others, ...STATE_SERVERS])];
  return { part: 'Host', what: WHAT, run: () => look(names, systemctl) };
}

async function look(names: readonly string[], systemctl: string): Promise<Observation[]> {
  const running = (await read(names, systemctl)).filter(({ isActive }) => isActive);
  if (!running.some(({ name }) => OURS.includes(name))) return [];
  const lost = running.filter(({ staysAway }) => staysAway).map(({ name }) => name);
  if (lost.length === 0) return [ok(WHAT, `all that runs here does: ${running.map(({ name }) => name).join(', ')}`)];
  return [
    warning(
      WHAT,
      `runs now, and will not after a restart of this host: ${lost.join(', ')}`,
      `Have systemd start it at each boot: \`systemctl enable ${lost.join(' ')}\`.`,
    ),
  ];
}

/** None where systemd does not run. A service whose socket is there at boot comes with the first who needs it. */
async function read(names: readonly string[], systemctl: string): Promise<Unit[]> {
  const units = names.flatMap((name) => [`${name}.service`, `${name}.socket`]);
  const asked = ['show', '--property=Id,ActiveState,UnitFileState', ...units];
  const { stdout } = await run(systemctl, asked, { timeout: TIMEOUT_MS }).catch(() => ({ stdout: '' }));
  const states = new Map(
    stdout.split(/\n\n+/).map((block) => {
      const lines = new Map(block.split('\n').map((line) => [line.split('=')[0], line.replace(/^\w+=/, '')] as const));
      return [lines.get('Id'), { active: lines.get('ActiveState'), file: lines.get('UnitFileState') ?? '' }] as const;
    }),
  );
  return names.map((name) => ({
    name,
    isActive: states.get(`${name}.service`)?.active === 'active',
    staysAway:
      STAYS_AWAY.test(states.get(`${name}.service`)?.file ?? '') && states.get(`${name}.socket`)?.file !== 'enabled',
  }));
}
