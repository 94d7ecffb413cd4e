import { readFile } from 'node:fs/promises';
import { failure, ok, warning, type Check, type Observation, type Shared } from './check.ts';

const PART = 'Ports';
const EPHEMERAL = '/proc/sys/net/ipv4/ip_local_port_range';
const SHOWN = 5;
/** The state of a listening socket in /proc/net/tcp. */
const LISTEN = '0A';

export interface PortState {
  readonly available: ReadonlySet<number>;
  readonly cooling: ReadonlySet<number>;
  readonly held: ReadonlySet<number>;
}

export interface PortTargets {
  readonly range: { readonly start: number; readonly end: number };
  readonly coolDownMs: number;
  readonly state: Shared<PortState>;
}

/** The host ports that instances are published on. */
export function portChecks(parts: PortTargets): Check[] {
  return [
    { part: PART, what: 'range', run: async () => [await range(parts)] },
    { part: PART, what: 'free', run: async () => [free(await parts.state.need(), parts)] },
    { part: PART, what: 'other listeners', run: async () => [await strangers(await parts.state.need(), parts)] },
  ];
}

async function range({ range: { start, end } }: PortTargets): Promise<Observation> {
  const text = await readFile(EPHEMERAL, 'utf8');
  const [low = Infinity, high = 0] = text.trim().split(/\s+/).map(Number);
  const seen = `${start} to ${end}`;
  if (start > high || end < low) return ok('range', `${seen}, clear of the kernel's own ${low} to ${high}`);
  return warning(
    'range',
    `${seen} overlaps the kernel's own ${low} to ${high}: now and then a start fails because the port is taken`,
    `Choose CONTAINER_PORT_RANGE_START and CONTAINER_PORT_RANGE_END below ${low}.`,
  );
}

function free(
  { available, cooling, held }: PortState,
  { coolDownMs, range: { start, end } }: PortTargets,
): Observation {
  const seen = `${available.size} free, ${cooling.size} resting, ${held.size} held by instances`;
  if (available.size > 0) return ok('free', seen);
  if (cooling.size + held.size === 0)
    return warning(
      'free',
      `${seen}: no ports are recorded yet`,
      'The server makes them when it starts (`systemctl start try-it-now`).',
    );
  const rest =
    cooling.size > 0 ? `; ${cooling.size} rest for up to ${coolDownMs / 1_000} s (CONTAINER_PORT_COOLDOWN)` : '';
  return failure(
    'free',
    `${seen}: no port is free for a new instance${rest}`,
    `Widen CONTAINER_PORT_RANGE_START..END (now ${start} to ${end}) and restart the server, or lower the pool sizes.`,
  );
}

/** Held ports are ours, resting ones may still be: a container that is being taken down. */
async function strangers({ held, cooling }: PortState, { range: { start, end } }: PortTargets): Promise<Observation> {
  const listening = await listeners();
  const foreign = [...listening]
    .filter((port) => port >= start && port <= end && !held.has(port) && !cooling.has(port))
    .sort((a, b) => a - b);
  if (foreign.length === 0) return ok('other listeners', 'none in the range');
  const more = foreign.length > SHOWN ? ` and ${foreign.length - SHOWN} more` : '';
  const shown = `${foreign.slice(0, SHOWN).join(', ')}${more}`;
  return warning(
    'other listeners',
    `another program, or a container without a record, listens on ${shown}: a start there fails`,
    `See which (\`ss -ltnp 'sport = :${foreign[0] ?? 0}'\`) and end it, run \`try-it-now reconcile\`, or ` +
      'move the range.',
  );
}

async function listeners(): Promise<ReadonlySet<number>> {
  const tables = await Promise.all(
    ['/proc/net/tcp', '/proc/net/tcp6'].map((file) => readFile(file, 'utf8').catch(() => '')),
  );
  const found = new Set<number>();
  for (const line of tables.join('\n').split('\n')) {
    const [, local, , state] = line.trim().split(/\s+/);
    if (state === LISTEN) found.add(Number.parseInt(local?.split(':')[1] ?? '', 16));
  }
  return found;
}
