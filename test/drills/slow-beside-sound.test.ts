import { expect, it, onTestFinished } from 'vitest';
import { openStore } from '../../src/store/store.ts';
import { eventually } from '../support/eventually.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { silent } from '../support/store.ts';
import { readiness, template } from '../support/templates.ts';

const PATIENT = { timeoutMs: 60_000, everyMs: 50 };
const HALF_AN_HOUR = 1_800_000;
const few = { target: 2, max: 4, replenishThreshold: 0 };
const many = { target: 12, max: 12, replenishThreshold: 0 };

const sound = template({ name: 'sound', pool: few });
const stuck = template({
  name: 'stuck',
  env: { SIMULATED_START_UP_MS: String(HALF_AN_HOUR) },
  readiness: readiness('/', HALF_AN_HOUR),
  pool: many,
});
const crashing = template({
  name: 'crashing',
  env: { SIMULATED_EXIT_CODE: '3', SIMULATED_SAYS: 'FATAL: no licence key' },
  readiness: readiness('/', HALF_AN_HOUR),
  pool: { target: 1, max: 2, replenishThreshold: 0 },
});

async function poolOf({ app }: Stack, name: string) {
  return (await app.demos.stats()).get(name);
}

it('templates that never come up cost the others nothing, and end when nothing of them is wanted', async () => {
  await using stack = await startStack({
    engine: 'simulated',
    templates: [stuck, { ...stuck, name: 'stuck-too' }, crashing, sound],
    env: { QUEUE_WORKER_COUNT: '2' },
  });
  const store = await openStore({
    ...stack.config,
    limits: { hourly: 0, daily: 0 },
    portRange: stack.config.containers.portRange,
    portCoolDownMs: 50,
    log: silent,
  });
  onTestFinished(() => store.close());
  await eventually(async () => expect(await poolOf(stack, 'sound')).toMatchObject({ ready: 2 }), PATIENT);
  await eventually(async () => expect(await poolOf(stack, 'stuck')).toMatchObject({ ready: 0, warming: 12 }), PATIENT);

  // No half hour is waited for an app that has ended; why it did is kept.
  const [report] = await eventually(async () => {
    const found = await store.failureLog.recent('crashing');
    expect(found).not.toEqual([]);
    return found;
  }, PATIENT);
  expect(report).toMatchObject({ code: 'container_exited', exitCode: 3 });
  expect(report?.reason).toContain('exit code 3');
  expect(report?.output).toContain('FATAL: no licence key');

  const before = (await stack.app.runtime.list()).length;
  await store.controls.setTarget('stuck', 0);
  await store.controls.drain('stuck-too', undefined, undefined);
  for (const name of ['stuck', 'stuck-too'])
    await eventually(async () => expect(await poolOf(stack, name)).toMatchObject({ warming: 0, leaving: 0 }), PATIENT);
  await eventually(async () => expect((await stack.app.runtime.list()).length).toBeLessThan(before), PATIENT);
  expect(await poolOf(stack, 'sound')).toMatchObject({ ready: 2 });
});
