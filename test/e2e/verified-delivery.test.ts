import { Redis as Valkey } from 'iovalkey';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import Dockerode from 'dockerode';
import {
  launchEngine,
  titleFor,
  whyWithout,
  type LaunchedEngine,
  type RealEngine,
} from '../support/container-engine.ts';
import { Cleanups } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { get } from '../support/proxy.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { template } from '../support/templates.ts';
import { loadTinyImage, type TinyImage } from '../support/tiny-image.ts';

const PATIENT = { timeoutMs: 60_000 };

interface Answer {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly body: { readonly id: string; readonly url: string; readonly code?: string };
}

async function acquire({ api }: Stack, key?: string): Promise<Answer> {
  const response = await fetch(`${api}/api/v1/demo/acquire`, {
    method: 'POST',
    ...(key === undefined ? {} : { headers: { 'idempotency-key': key } }),
  });
  return {
    status: response.status,
    retryAfter: response.headers.get('retry-after'),
    body: (await response.json()) as Answer['body'],
  };
}

async function untilReady({ api }: Stack, ready: number): Promise<void> {
  await eventually(
    async () => expect(await (await fetch(`${api}/api/v1/pool/stats`)).json()).toMatchObject({ ready }),
    PATIENT,
  );
}

/** The ids of the idle instances, in the order in which it is handed out, with the container of each. */
async function stockOf(valkey: Valkey): Promise<{ id: string; container: string }[]> {
  const ids = await valkey.zrange('ready:tiny', 0, -1);
  return ids.length === 0
    ? []
    : (await valkey.hmget('instances', ...ids)).map(
        (text) => JSON.parse(text ?? '{}') as { id: string; container: string },
      );
}

async function withValkey<T>(stack: Stack, use: (valkey: Valkey) => Promise<T>): Promise<T> {
  const valkey = new Valkey(stack.config.valkey.port, stack.config.valkey.host);
  try {
    return await use(valkey);
  } finally {
    valkey.disconnect();
  }
}

async function answersAsAnApp({ url }: { readonly url: string }, { proxy }: Stack): Promise<void> {
  await eventually(
    async () => expect((await get(Number(new URL(proxy).port), new URL(url).hostname)).status).toBe(200),
    PATIENT,
  );
}

/** Either the claim or the engine's events find it first: a visitor must not see the difference. */
describe('a dead instance is not handed out', () => {
  const limits = { RATE_LIMIT_HOURLY: '100', RATE_LIMIT_DAILY: '100' };
  const counters = (stack: Stack): Promise<(string | null)[]> =>
    withValkey(stack, async (valkey) => {
      const names = await valkey.keys('rate:*');
      return names.length === 0 ? [] : valkey.mget(...names);
    });

  it('but the next one, once for the limits and under the same key', async () => {
    await using stack = await startStack({ env: limits });
    await untilReady(stack, 3);
    const [dead, alive] = await withValkey(stack, stockOf);
    await stack.app.runtime.remove(dead?.container ?? '');
    const { status, body } = await acquire(stack, 'k');
    expect([status, body.id]).toEqual([201, alive?.id]);
    await answersAsAnApp(body, stack);
    expect(await acquire(stack, 'k')).toMatchObject({ status: 200, body: { id: alive?.id } });
    expect(await counters(stack)).toEqual(['1', '1']);
    await eventually(
      async () => expect((await fetch(`${stack.api}/api/v1/demo/${dead?.id ?? ''}`)).status).toBe(404),
      PATIENT,
    );
    const metrics = await (await fetch(`${stack.api}/metrics`)).text();
    expect(metrics).toContain('try_it_now_releases_total{template="tiny",reason="container_lost"} 1');
  });

  it('also when it is had again by its key', async () => {
    await using stack = await startStack();
    await untilReady(stack, 3);
    const [first] = await withValkey(stack, stockOf);
    expect((await acquire(stack, 'k')).body.id).toBe(first?.id);
    await stack.app.runtime.remove(first?.container ?? '');
    const { status, body } = await acquire(stack, 'k');
    expect(status).toBe(201);
    expect(body.id).not.toBe(first?.id);
    expect(await acquire(stack, 'k')).toMatchObject({ status: 200, body: { id: body.id } });
  });

  it('and a visitor who comes when all of them are dead gets one that lives, now or on coming again', async () => {
    await using stack = await startStack();
    await untilReady(stack, 3);
    for (const { container } of await withValkey(stack, stockOf)) await stack.app.runtime.remove(container);
    const { body } = await eventually(async () => {
      const answer = await acquire(stack);
      if (answer.status !== 201)
        expect([answer.status, answer.body.code, Number(answer.retryAfter) > 0]).toEqual([503, 'pool_empty', true]);
      expect(answer.status).toBe(201);
      return answer;
    }, PATIENT);
    await answersAsAnApp(body, stack);
  });
});

describe.each<RealEngine>(['podman', 'docker'])('on a real engine', (engine) => {
  describe.skipIf(whyWithout(engine) !== undefined)(titleFor(engine), () => {
    const cleanups = new Cleanups('a verified delivery');
    let launched: LaunchedEngine;
    let image: TinyImage;
    beforeAll(async () => {
      launched = await launchEngine(engine);
      cleanups.push(() => launched[Symbol.asyncDispose]());
      image = await loadTinyImage(launched.socketPath);
      cleanups.push(() => image[Symbol.asyncDispose]());
    });
    afterAll(() => cleanups[Symbol.asyncDispose]());

    it('a visitor gets a living app right after the one at the head of the line was killed, or stopped', async () => {
      await using stack = await startStack({
        engine,
        socketPath: launched.socketPath,
        templates: [template({ image: image.name, port: image.port })],
      });
      await untilReady(stack, 3);
      const [dead] = await withValkey(stack, stockOf);
      const containers = new Dockerode({ socketPath: launched.socketPath });
      const {
        State: { Pid: pid },
      } = await containers.getContainer(dead?.container ?? '').inspect();
      process.kill(pid, 'SIGKILL');
      // A signal is not a death yet: until it is, the app may rightly be handed out.
      await eventually(() => expect(isRunning(pid)).toBe(false));
      const { status, body } = await acquire(stack);
      expect(status).toBe(201);
      expect(body.id).not.toBe(dead?.id);
      await answersAsAnApp(body, stack);

      // Connections to it are accepted all the same: the kernel does that, not the app.
      await untilReady(stack, 3);
      const [frozen] = await withValkey(stack, stockOf);
      await containers.getContainer(frozen?.container ?? '').pause();
      const second = await acquire(stack);
      expect(second.status).toBe(201);
      expect(second.body.id).not.toBe(frozen?.id);
      await answersAsAnApp(second.body, stack);
      await eventually(
        async () => expect((await fetch(`${stack.api}/api/v1/demo/${frozen?.id ?? ''}`)).status).toBe(404),
        PATIENT,
      );
    });
  });
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
