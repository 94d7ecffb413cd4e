import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { decode, encode, type DecodedPacket } from 'dns-packet';
import { request } from 'undici';
import { withDeadline } from '../lifecycle/deadline.ts';
import { ZONE } from '../proxy/discovery/zone.ts';
import { NotChecked, failure, ok, warning, type Check, type Observation } from './check.ts';
import { logObservation } from './log.ts';

const PART = 'Discovery';
const ANSWER_WITHIN_MS = 1_500;
const SAMPLE = 20;
const START = 'Start it (`systemctl start try-it-now-discovery`), or correct DISCOVERY_ADDR.';

export interface DiscoveryAddresses {
  readonly host: string;
  readonly port: number;
  readonly metrics: { readonly host: string; readonly port: number };
}

/** Where instances live, as Valkey has it: label → port. Throws NotChecked. */
export type Names = () => Promise<ReadonlyMap<string, number>>;

/** The process that tells Caddy by DNS where instances live. */
export function discoveryChecks(addresses: DiscoveryAddresses, names: Names): Check[] {
  return [
    { part: PART, what: 'answers', remedy: START, run: async () => [await answers(addresses)] },
    { part: PART, what: 'in step', run: async () => [await sample(addresses, await names())] },
    { part: PART, what: 'follows Valkey', run: async () => [follows(await metricsOf(addresses))] },
    {
      part: PART,
      what: 'log',
      run: async () => [logObservation(await metricsOf(addresses), 'try-it-now-discovery')],
    },
  ];
}

async function answers(addresses: DiscoveryAddresses): Promise<Observation> {
  const reply = await ask(addresses, ZONE);
  const where = `${addresses.host}:${addresses.port}`;
  if (reply === undefined)
    return failure('answers', `no answer to DNS at ${where}: visitors get "not found" for running instances`, START);
  return ok('answers', `at ${where}`);
}

async function sample(addresses: DiscoveryAddresses, names: ReadonlyMap<string, number>): Promise<Observation> {
  const wrong: string[] = [];
  let unanswered = 0;
  const looked = [...names].slice(0, SAMPLE);
  await Promise.all(
    looked.map(async ([label, port]) => {
      const reply = await ask(addresses, `${label}.${ZONE}`);
      const [first] = reply?.answers ?? [];
      if (reply === undefined) unanswered += 1;
      else if (first?.type !== 'SRV' || first.data.port !== port) wrong.push(label);
    }),
  );
  if (unanswered > 0) throw new NotChecked('discovery does not answer');
  if (wrong.length === 0)
    return ok('in step', `${looked.length} of ${names.size} names looked up, all lead where Valkey says`);
  return failure(
    'in step',
    `${wrong.length} of ${looked.length} names lead elsewhere than Valkey says`,
    'Restart it (`systemctl restart try-it-now-discovery`); it must use the same Valkey as the server.',
  );
}

/** Throws NotChecked. */
async function metricsOf({ metrics: { host, port } }: DiscoveryAddresses): Promise<string> {
  const url = `http://${isIPv6(host) ? `[${host}]` : host}:${port}/metrics`;
  const text = await request(url, { headersTimeout: ANSWER_WITHIN_MS, bodyTimeout: ANSWER_WITHIN_MS }).then(
    ({ body }) => body.text(),
    () => undefined,
  );
  if (text === undefined) throw new NotChecked(`its metrics do not answer at ${url}`);
  return text;
}

function follows(text: string): Observation {
  if (/^try_it_now_dns_in_step 1$/m.test(text)) return ok('follows Valkey', 'in step with Valkey');
  return warning(
    'follows Valkey',
    'answers from memory alone: it does not reach Valkey',
    'Make VALKEY_ADDR or VALKEY_URL, and VALKEY_PASSWORD, right for it, and see `journalctl -u try-it-now-discovery`.',
  );
}

/** Undefined: no answer in time. */
async function ask({ host, port }: DiscoveryAddresses, name: string): Promise<DecodedPacket | undefined> {
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
  const reply = new Promise<DecodedPacket | undefined>((resolve) => {
    socket.once('error', () => resolve(undefined));
    socket.once('message', (packet) => {
      try {
        resolve(decode(packet));
      } catch {
        resolve(undefined);
      }
    });
    // Connected, so that nobody listening is an error at once and not a timeout.
    socket.connect(port, host, () => socket.send(encode({ type: 'query', id: 1, questions: [{ type: 'SRV', name }] })));
  });
  try {
    return await withDeadline(ANSWER_WITHIN_MS, reply, () => undefined);
  } finally {
    socket.close();
  }
}
