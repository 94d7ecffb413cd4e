import { figureOfRounds, median, percentile, figure, type Figure } from './figures.ts';
import { GrownDeployment, type GrowthRound } from './grown-deployment.ts';

const SIZES = [100, 1_000, 10_000, 100_000] as const;
const ROUNDS = 5;
const PORTS = 400;
const MEBIBYTE = 1024 * 1024;
/** Of the exponent: 1 is linear, and what is measured varies. */
const LINEAR = 1.1;
const FLAT = 1.25;

interface Curve {
  readonly name: string;
  readonly unit: string;
  readonly of: (round: GrowthRound) => number;
}

const CURVES: readonly Curve[] = [
  { name: 'acquire, p50', unit: 'ms', of: ({ acquiresMs }) => median(acquiresMs) },
  { name: 'refill, of each instance', unit: 'ms', of: ({ refillsPerSecond }) => 1_000 / refillsPerSecond },
  { name: 'reconcile, a look at everything', unit: 'ms', of: ({ reconcileMs }) => reconcileMs },
  { name: 'metrics, a scrape', unit: 'ms', of: ({ scrapeMs }) => scrapeMs },
  { name: 'start of the server', unit: 'ms', of: ({ serverStartMs }) => serverStartMs },
  { name: 'start of discovery', unit: 'ms', of: ({ discoveryStartMs }) => discoveryStartMs },
  { name: 'data in Valkey', unit: 'MiB', of: ({ valkeyBytes }) => valkeyBytes / MEBIBYTE },
  { name: 'memory of the server', unit: 'MiB', of: ({ serverBytes }) => serverBytes / MEBIBYTE },
  { name: 'memory of discovery', unit: 'MiB', of: ({ discoveryBytes }) => discoveryBytes / MEBIBYTE },
];

/** One deployment for each size, all at once, measured in turns. */
export async function benchGrowth(): Promise<Figure[]> {
  const deployments: GrownDeployment[] = [];
  try {
    let firstPort = 10_100;
    for (const size of SIZES) {
      console.log(`Recording ${size} instances …`);
      deployments.push(await GrownDeployment.start(size, [firstPort, firstPort + PORTS - 1]));
      firstPort += PORTS;
    }
    for (const deployment of deployments) await deployment.warmUp();
    const rounds = deployments.map((): GrowthRound[] => []);
    for (let round = 0; round < ROUNDS; round += 1) {
      console.log(`Round ${round + 1} of ${ROUNDS} …`);
      for (const [at, deployment] of deployments.entries()) rounds[at]?.push(await deployment.round());
    }
    return [
      ...CURVES.flatMap((curve) => figuresOf(curve, rounds)),
      ...SIZES.map((size, at) =>
        figure(
          `acquire, p99 of all rounds, ${size} instances`,
          percentile(rounds[at]?.flatMap(({ acquiresMs }) => acquiresMs) ?? [], 0.99),
          'ms',
        ),
      ),
      figure('data in Valkey of each instance', bytesEach(rounds), 'bytes'),
    ];
  } finally {
    for (const deployment of deployments) await deployment[Symbol.asyncDispose]();
  }
}

/** Of what the largest has more than the smallest. */
function bytesEach(rounds: readonly (readonly GrowthRound[])[]): number {
  const [first = [], last = []] = [rounds[0], rounds.at(-1)];
  const of = (some: readonly GrowthRound[]): number => median(some.map(({ valkeyBytes }) => valkeyBytes));
  return (of(last) - of(first)) / ((SIZES.at(-1) ?? NaN) - SIZES[0]);
}

function figuresOf({ name, unit, of }: Curve, rounds: readonly (readonly GrowthRound[])[]): Figure[] {
  const values = rounds.map((some) => some.map(of));
  const points = SIZES.map((instances, at) => ({
    ...figureOfRounds(`${name}, ${instances} instances`, values[at] ?? [], unit),
    curve: { name: `${name} (${unit})`, instances },
  }));
  const [first = [], before = [], last = []] = [values[0], values.at(-2), values.at(-1)];
  const againstEach = (others: readonly number[]) => last.map((value, round) => value / (others[round] ?? NaN));
  if (name.startsWith('acquire'))
    return [...points, figureOfRounds(`${name}, largest against smallest`, againstEach(first), '×', { atMost: FLAT })];
  // 0: it does not grow. 1: ten times the instances, ten times as much.
  const step = Math.log((SIZES.at(-1) ?? NaN) / (SIZES.at(-2) ?? NaN));
  const exponents = againstEach(before).map((ratio) => Math.log(ratio) / step);
  return [...points, figureOfRounds(`${name}: exponent of the last step`, exponents, '', { atMost: LINEAR })];
}
