import { acquireInSequence, rate } from './load.ts';
import { figureOfRounds, type Figure } from './figures.ts';
import { startServerProcess } from './server-process.ts';

const FEW = 10;
/** How many of the live instances are asked in turn, and the share of the rate with a few that is the goal. */
const ASKED = [
  { asked: 10, atLeast: 50 },
  { asked: 1_000, atLeast: 50 },
  { asked: 3_000, atLeast: 90 },
] as const;
const MANY = 3_000;
const ROUNDS = 5;
const AMOUNT = 8_000;
const CONNECTIONS = 32;

/** Requests through Caddy with 10 and with 3,000 live instances, in turns. */
export async function benchProxy(): Promise<Figure[]> {
  await using few = await startServerProcess({
    engine: 'simulated',
    target: FEW + 1,
    workers: 8,
    portRange: [10_000, 10_199],
    threshold: 0.99,
  });
  await using many = await startServerProcess({
    engine: 'simulated',
    target: MANY + 1,
    workers: 8,
    portRange: [10_200, 15_999],
    threshold: 0.9999,
  });
  const hostsOf = async (api: string, count: number) =>
    (await acquireInSequence(api, count)).acquired.map(({ url }) => new URL(url).host);
  const [fewHosts, manyHosts] = [await hostsOf(few.api, FEW), await hostsOf(many.api, MANY)];
  const ask = (proxyPort: number, hosts: readonly string[], amount = AMOUNT) =>
    rate({ url: `http://127.0.0.1:${proxyPort}/`, hosts, amount, connections: CONNECTIONS });

  const alone: number[] = [];
  const rates = ASKED.map((of) => ({ ...of, seen: [] as number[] }));
  await ask(many.proxyPort, manyHosts, AMOUNT / 2);
  for (let round = 0; round < ROUNDS; round += 1) {
    alone.push(await ask(few.proxyPort, fewHosts));
    for (const { asked, seen } of rates) seen.push(await ask(many.proxyPort, manyHosts.slice(0, asked)));
  }
  const shares = (seen: readonly number[]) => seen.map((value, at) => (value / (alone[at] ?? NaN)) * 100);
  return [
    figureOfRounds(`proxy, ${FEW} live instances`, alone, 'req/s'),
    ...rates.flatMap(({ asked, atLeast, seen }) => {
      const what = `proxy, ${MANY} live instances, ${asked} of them asked in turn`;
      return [
        figureOfRounds(what, seen, 'req/s'),
        figureOfRounds(`${what}: as a share of ${FEW} live`, shares(seen), '%', { atLeast }),
      ];
    }),
  ];
}
