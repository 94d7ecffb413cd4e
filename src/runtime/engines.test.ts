import { expect, it } from 'vitest';
import { createLogger } from '../telemetry/logger.ts';
import { ENGINES, ENGINE_NAMES, loadEngine } from './engines.ts';

it.each(ENGINE_NAMES)('%s is recorded by the name it is listed with, and restores if it says so', async (name) => {
  const engine = await loadEngine(name);
  const runtime = engine.createRuntime({
    socketPath: '/nowhere/engine.sock',
    deployment: 'shop',
    node: 'node0',
    log: createLogger('silent'),
  });
  expect(runtime.engine).toBe(name);
  expect('createCheckpointing' in engine).toBe(engine.restoresCheckpoints);
  await runtime.close();
});

it('has every engine under a name and a socket of its own', () => {
  expect(new Set(ENGINE_NAMES).size).toBe(ENGINES.length);
  expect(new Set(ENGINES.map(({ socket }) => socket.variable)).size).toBe(ENGINES.length);
});
