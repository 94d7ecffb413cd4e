#!/usr/bin/env node
// Runs each part of `make check`, as many side by side as there are processors, and shows of each what it wrote when it
// is done. Exit code 1 if one failed; the others are run to their end, so that one run shows all that is wrong.
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';

/** Scripts of package.json, the longest first. */
const PARTS = ['lint', 'format:check', 'deadcode', 'structure', 'audit'];

/** Resolves with the exit code once all that the part wrote is shown. */
function run(part) {
  const started = Date.now();
  const child = spawn('npm', ['run', '--silent', part], { stdio: ['ignore', 'pipe', 'pipe'] });
  const written = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => written.push(chunk));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      const seconds = Math.round((Date.now() - started) / 1_000);
      console.log(`--- ${part}: ${code === 0 ? 'passed' : 'FAILED'} after ${seconds} s`);
      process.stdout.write(Buffer.concat(written));
      resolve(code);
    });
  });
}

const waiting = [...PARTS];
const failed = [];

async function runNext() {
  for (let part = waiting.shift(); part !== undefined; part = waiting.shift()) {
    if ((await run(part)) !== 0) failed.push(part);
  }
}

await Promise.all(Array.from({ length: availableParallelism() }, runNext));
if (failed.length > 0) {
  console.error(`make check failed: ${failed.join(', ')}`);
  process.exitCode = 1;
}
