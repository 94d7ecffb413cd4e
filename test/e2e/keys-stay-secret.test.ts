import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { launchSimulatedEngine, type LaunchedSimulatedEngine } from '../../src/runtime/simulated/launch.ts';
import { eventually } from '../support/eventually.ts';
import { OPERATOR_KEY, VISITOR_KEY, askAdmin } from '../support/operator.ts';
import { Program } from '../support/program.ts';
import { ServerProcess } from '../support/server-process.ts';

const GUESSED_KEY = 'guessed-by-somebody-else';
const KEYS = [OPERATOR_KEY, VISITOR_KEY, GUESSED_KEY];
const ALL_LINES = 100_000;

let dir: string;
let engine: LaunchedSimulatedEngine;
let server: ServerProcess;
let adminPort: number;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tin-secret-'));
  await writeFile(join(dir, 'operator'), `${OPERATOR_KEY}\n`, { mode: 0o600 });
  await writeFile(join(dir, 'visitor'), `${VISITOR_KEY}\n`, { mode: 0o600 });
  await writeFile(join(dir, 'guessed'), `${GUESSED_KEY}\n`, { mode: 0o600 });
  engine = await launchSimulatedEngine({ socketPath: join(dir, 'engine.sock') });
  adminPort = await freePort();
  server = await ServerProcess.launch({
    engine: 'simulated',
    engineSocket: engine.socketPath,
    ports: 20,
    templates: [{ name: 'hello', image: 'localhost/unused', port: 80, pool: { target: 1, max: 3 } }],
    env: {
      ADMIN_ADDR: `127.0.0.1:${adminPort}`,
      OPERATOR_KEYS_FILE: join(dir, 'operator'),
      API_KEY_FILE: join(dir, 'visitor'),
      LOG_LEVEL: 'trace',
    },
  });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await engine[Symbol.asyncDispose]();
  await rm(dir, { recursive: true });
});

/** Of a process and all that it started: how each was called and, where asked for, its environment. */
async function processFiles(root: number, name: 'cmdline' | 'environ'): Promise<string[]> {
  const parents = new Map<number, number>();
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    // Ended between the two looks: nothing is to be seen of it any more.
    const stat = await readFile(`/proc/${entry}/stat`, 'utf8').catch(() => '');
    parents.set(Number(entry), Number(/\) \S (\d+)/.exec(stat)?.[1] ?? 0));
  }
  const isBelow = (pid: number): boolean => pid === root || (pid > 1 && isBelow(parents.get(pid) ?? 0));
  return Promise.all(
    [...parents.keys()].filter(isBelow).map((pid) => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '')),
  );
}

function expectNoKeyIn(text: string, where: string): void {
  for (const key of KEYS) expect(text.includes(key), `${key} is in ${where}`).toBe(false);
}

/** As a client would that sends what is no HTTP, or a header the server cannot take. */
async function sendOddly(port: number, path: string, headers: Record<string, string>): Promise<void> {
  await new Promise<void>((resolve) => {
    const sent = request({ port, host: '127.0.0.1', path, method: 'POST', headers }, (answer) =>
      answer.resume().once('end', resolve),
    );
    sent.once('error', () => resolve());
    sent.end('{"not": json');
  });
}

async function callBothListeners(): Promise<void> {
  for (const key of [...KEYS, undefined]) {
    const headers: Record<string, string> = key === undefined ? {} : { 'x-api-key': key };
    for (const path of ['/api/v1/demo/acquire', '/api/v1/nothing'])
      await (await fetch(`${server.api}${path}`, { method: 'POST', headers })).text();
    await askAdmin(adminPort, 'GET', '/admin/v1/pools', { key: key ?? null });
    await askAdmin(adminPort, 'POST', '/admin/v1/pools/hello/pause', { key: key ?? null, body: { reason: 'A try' } });
    await askAdmin(adminPort, 'POST', '/admin/v1/pools/none/resume', { key: key ?? null, body: {} });
    for (const port of [adminPort, Number(new URL(server.api).port)])
      await sendOddly(port, '/admin/v1/pools/hello/pause', { ...headers, 'content-type': 'application/json' });
  }
  await askAdmin(adminPort, 'POST', '/admin/v1/pools/hello/resume', { body: {} });
}

it('keys are in no log line at trace level, whether they were right or wrong', async () => {
  await callBothListeners();
  // Every line of the calls above has been written when a later one has.
  await askAdmin(adminPort, 'POST', '/admin/v1/pools/hello/resume', { body: {} });
  await eventually(() => {
    expect(server.tail(ALL_LINES)).toContain('"audit":true');
  });
  const log = server.tail(ALL_LINES);
  expect(log).toContain('key_wrong');
  expectNoKeyIn(log, 'the log');
});

it('keys are not on the command line or in the environment of the server', async () => {
  for (const name of ['cmdline', 'environ'] as const) {
    const seen = await processFiles(server.pid, name);
    expect(seen.join('\n')).toContain(name === 'cmdline' ? 'try-it-now' : 'OPERATOR_KEYS_FILE');
    expectNoKeyIn(seen.join('\n'), name);
  }
});

it('keys are in nothing that the commands print, nor on their command line', async () => {
  const file = (name: string): Record<string, string> => ({
    ADMIN_URL: `http://127.0.0.1:${adminPort}`,
    OPERATOR_KEY_FILE: join(dir, name),
    LOG_LEVEL: 'trace',
  });
  for (const [name, code] of [
    ['operator', 0],
    ['visitor', 1],
    ['guessed', 1],
  ] as const) {
    for (const args of [
      ['pool', 'stats'],
      ['audit', '--json'],
    ]) {
      await using program = new Program(args, file(name));
      // Empty for a moment: spawning ends before the kernel has laid out the new program's arguments.
      const cmdline = await eventually(async () => {
        const seen = await readFile(`/proc/${program.pid}/cmdline`, 'utf8');
        expect(seen).toContain(args[0]);
        return seen;
      });
      expectNoKeyIn(cmdline, 'cmdline');
      const ended = await program.exitCode;
      expect([name, ended === 0 ? 0 : 1], program.output).toEqual([name, code]);
      expectNoKeyIn(program.output, `the output of ${args.join(' ')}`);
    }
  }
});

it('a key in a URL opens nothing', async () => {
  for (const where of [`${server.api}/api/v1/pool/stats`, `http://127.0.0.1:${adminPort}/admin/v1/pools`]) {
    for (const name of ['x-api-key', 'api_key', 'key']) {
      const key = where.includes('admin') ? OPERATOR_KEY : VISITOR_KEY;
      expect((await fetch(`${where}?${name}=${key}`)).status).toBe(401);
    }
  }
});
