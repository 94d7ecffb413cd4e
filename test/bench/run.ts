import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, release } from 'node:os';
import { benchAcquire } from './acquire.ts';
import { benchAutosize } from './autosize.ts';
import { benchColdPool } from './cold-pool.ts';
import { benchDatabaseCloning } from './database-cloning.ts';
import { benchDensity } from './density.ts';
import { printTable, type Figure } from './figures.ts';
import { benchFirstPaint } from './first-paint.ts';
import { benchGrowth } from './growth.ts';
import { benchIdle } from './idle.ts';
import { benchIdleStock } from './idle-stock.ts';
import { benchProxy } from './proxy.ts';
import { benchRestore } from './restore.ts';
import { benchTraces } from './traces.ts';
import { benchVisit } from './visit.ts';
import { benchWaiting } from './waiting.ts';

/**
 * `npm run bench [NAME …]`: all of them without names, which are those of the table below. Prints a table and writes
 * JSON.
 */
const BENCHES: Readonly<Record<string, () => Promise<Figure[]>>> = {
  acquire: benchAcquire,
  proxy: benchProxy,
  'cold-pool': benchColdPool,
  restore: benchRestore,
  waiting: benchWaiting,
  'first-paint': benchFirstPaint,
  idle: benchIdle,
  'idle-stock': benchIdleStock,
  databases: benchDatabaseCloning,
  density: benchDensity,
  growth: benchGrowth,
  visit: benchVisit,
  traces: benchTraces,
  autosize: benchAutosize,
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => BENCHES[name] === undefined);
if (unknown.length > 0) {
  console.error(`There is no benchmark named ${unknown.join(', ')}; there are: ${Object.keys(BENCHES).join(', ')}.`);
  process.exit(2);
}
const figures: Figure[] = [];
for (const [name, bench] of Object.entries(BENCHES)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  console.log(`Measuring ${name} …`);
  figures.push(...(await bench()));
}
printTable(figures);
await mkdir('bench-results', { recursive: true });
const file = `bench-results/${new Date().toISOString().replaceAll(':', '-')}.json`;
const machine = { cores: cpus().length, cpu: cpus()[0]?.model, kernel: release(), node: process.version };
await writeFile(file, `${JSON.stringify({ at: new Date().toISOString(), machine, figures }, null, 2)}\n`);
console.log(`Written to ${file}`);
