import { acquireInSequence, rate } from './load.ts';
import { figureOfRounds, type Figure } from './figures.ts';
import { startServerProcess } from './server-process.ts';

const FEW = 10;
const MANY = 1_000;
const ROUNDS = 5;
const CONNECTIONS = 32;

/** Requests through Caddy with 10 and with 1,000 live instances, in turns. */
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
    portRange: [10_200, 12_199],
    threshold: 0.9999,
  });
  const hostsOf = async (api: string, count: number) =>
    (await acquireInSequence(api, count)).acquired.map(({ url }) => new URL(url).host);
  const [fewHosts, manyHosts] = [await hostsOf(few.api, FEW), await hostsOf(many.api, MANY)];
  const ask = (proxyPort: number, hosts: readonly string[], amount: number) =>
    rate({ url: `http://127.0.0.1:${proxyPort}/`, hosts, amount, connections: CONNECTIONS });

  const [ten, hot, spread]: [number[], number[], number[]] = [[], [], []];
  await ask(many.proxyPort, manyHosts, 4_000);
  for (let round = 0; round < ROUNDS; round += 1) {
    ten.push(await ask(few.proxyPort, fewHosts, 8_000));
    hot.push(await ask(many.proxyPort, manyHosts.slice(0, FEW), 8_000));
    spread.push(await ask(many.proxyPort, manyHosts, 8_000));
  }
  const shares = (rates: readonly number[]) => rates.map((value, at) => (value / (ten[at] ?? NaN)) * 100);
  return [
    figureOfRounds(`proxy, ${FEW} live instances`, ten, 'req/s'),
    figureOfRounds(`proxy, ${MANY} live instances, ${FEW} of them asked`, hot, 'req/s'),
    figureOfRounds(`proxy, ${MANY} live instances, all of them asked in turn`, spread, 'req/s'),
    figureOfRounds(`the same as a share of ${FEW} live, ${FEW} asked`, shares(hot), '%', { atLeast: 50 }),
    figureOfRounds(`the same as a share of ${FEW} live, all asked in turn`, shares(spread), '%', { atLeast: 50 }),
  ];
}
