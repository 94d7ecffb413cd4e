import { trendTable } from './flatness.ts';
import { list, soak } from './soak.ts';

/**
 * `npm run soak`: SOAK_MINUTES (10) of visitors and kills, then a table. The exit code is 1 when something grows or the
 * recorded state is inconsistent. Ctrl-C ends it cleanly.
 */
const minutes = Number(process.env['SOAK_MINUTES'] ?? '10');
const seed = Number(process.env['SOAK_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
if (!(minutes > 0)) {
  say('SOAK_MINUTES is how many minutes it lasts, such as 10.');
  process.exit(2);
}

const ended = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    say('Ending; everything that was started is taken down.');
    ended.abort();
  });
}

say(`Soaking for ${minutes} min (SOAK_SEED=${seed}).`);
const outcome = await soak({
  durationMs: minutes * 60_000,
  arrivalsPerSecond: 8,
  sampleEveryMs: 5_000,
  killEveryMs: 4_000,
  target: 20,
  seed,
  signal: ended.signal,
  say,
});
say(`\nVisitors: ${list(outcome.counts)}.\nStruck: ${list(outcome.blows)}.\n\n${trendTable(outcome.trends)}\n`);
if (ended.signal.aborted) process.exitCode = 130;
else if (outcome.wrongs.length > 0) {
  say(`Not as it should be (SOAK_SEED=${seed}):\n${outcome.wrongs.join('\n')}`);
  process.exitCode = 1;
} else say('Memory, descriptors and keys ended flat, and the recorded state is consistent.');
