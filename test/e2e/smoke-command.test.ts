import { freePort } from '../../src/launcher/tcp-ports.ts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { Program } from '../support/program.ts';
import { environmentOf } from '../support/stack-environment.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { suspend } from '../support/suspend.ts';
import { template } from '../support/templates.ts';

const API_KEY = 'a-visitors-key-for-smoke';
const STEPS = ['acquire', 'open', 'extend', 'status', 'release', 'name gone'];
const PATIENT = { timeoutMs: 60_000 };

let stack: Stack;
let env: Readonly<Record<string, string>>;
beforeAll(async () => {
  stack = await startStack({
    templates: [
      template({ pool: { target: 2, max: 10, replenishThreshold: 0 } }),
      template({ name: 'brief', ttl: { defaultMs: 60_000, maxMs: 60_000 } }),
    ],
    env: { API_KEY, SHUTDOWN_GRACE: '500ms' },
  });
  env = { ...environmentOf(stack), API_KEY };
  await eventually(async () => expect(await assigned()).toMatchObject({ ready: 5, assigned: 0 }), PATIENT);
});
afterAll(async () => {
  await stack[Symbol.asyncDispose]();
});

async function assigned(): Promise<unknown> {
  const stats = [...(await stack.app.demos.stats()).values()];
  return {
    ready: stats.reduce((sum, { ready }) => sum + ready, 0),
    assigned: stats.reduce((sum, pool) => sum + pool.assigned, 0),
  };
}

interface Report {
  readonly passed: boolean;
  readonly failed_step: string | null;
  readonly remedy: string | null;
  readonly steps: readonly { readonly step: string; readonly outcome: string; readonly seen: string }[];
}

async function smoke(
  args: readonly string[],
  extra: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: number | null; readonly output: string }> {
  await using program = new Program(['smoke', ...args], { ...env, ...extra });
  return { code: await program.exitCode, output: program.output };
}

it('goes through a whole visit, and gives the instance back', async () => {
  const { code, output } = await smoke([]);
  process.stdout.write(output);
  expect([code, output]).toEqual([0, expect.stringContaining('All is well')]);
  for (const line of output.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  const report = JSON.parse(
    (await smoke(['--json', '--template', 'brief', '--url', `${stack.api}/`])).output,
  ) as Report;
  expect(report).toMatchObject({ passed: true, failed_step: null, remedy: null });
  expect(report.steps.map(({ step }) => step)).toEqual(STEPS);
  expect(report.steps[2]?.seen).toContain('refused');
  await eventually(async () => expect(await assigned()).toMatchObject({ assigned: 0 }), PATIENT);
});

it('says at which step it fails and what to do, and gives the instance back', async () => {
  const wrong = JSON.parse((await smoke(['--json'], { API_KEY: 'some-other-key-of-length' })).output) as Report;
  expect([wrong.failed_step, wrong.remedy]).toEqual(['acquire', expect.stringContaining('X-API-Key')]);
  const unknown = await smoke(['--template', 'nonesuch']);
  expect([unknown.code, unknown.output]).toEqual([1, expect.stringContaining('It fails at "acquire"')]);
  expect(await smoke(['--url', `http://127.0.0.1:${await freePort()}`])).toEqual({
    code: 1,
    output: expect.stringContaining('ECONNREFUSED') as string,
  });

  try {
    await suspend(stack.caddy.server);
    await using program = new Program(['smoke'], env);
    await eventually(async () => expect(await assigned()).toMatchObject({ assigned: 1 }), PATIENT);
    program.signal('SIGINT');
    expect(await program.exitCode).toBe(130);
    expect(program.output).toContain('Stopped; the instance was given back.');
    expect(await assigned()).toMatchObject({ assigned: 0 });
  } finally {
    stack.caddy.server.signal('SIGCONT');
  }

  await stack.caddy.server.stop();
  const { code, output } = await smoke([]);
  process.stdout.write(output);
  expect([code, output]).toEqual([1, expect.stringMatching(/release +done[\s\S]*It fails at "open"\..*doctor/)]);
  expect(await assigned()).toMatchObject({ assigned: 0 });
});
