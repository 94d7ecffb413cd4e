import { randomBytes } from 'node:crypto';
import Dockerode from 'dockerode';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { Template } from '../../src/domain/template.ts';
import type { EngineRuntime } from '../../src/runtime/docker/engine-runtime.ts';
import { imageRegistry, type ImageRegistry } from '../support/image-registry.ts';
import { template } from '../support/templates.ts';
import { loadTinyImage } from '../support/tiny-image.ts';
import type { EngineUnderTest } from './container-engine.ts';
import { newSpec, untilReady } from './container-runtime.ts';

const never = new AbortController().signal;

/** Where images come from, and that one name never leads to old and new side by side. */
export function imagesContract(underTest: () => EngineUnderTest): void {
  let docker: Dockerode;
  let registry: ImageRegistry;
  let remote: string;

  const follow = (stream: NodeJS.ReadableStream): Promise<unknown[]> =>
    new Promise((resolve, reject) => {
      docker.modem.followProgress(stream, (error, output: unknown[]) =>
        error === null ? resolve(output) : reject(error),
      );
    });

  beforeAll(async () => {
    docker = new Dockerode({ host: '', socketPath: underTest().socketPath });
    registry = await imageRegistry();
    const [repo, tag] = [`${registry.address}/tiny`, '1'];
    remote = `${repo}:${tag}`;
    await using local = await loadTinyImage(underTest().socketPath);
    await docker.getImage(local.name).tag({ repo, tag });
    const authconfig = { ...registry.login, serveraddress: registry.address };
    await follow(await docker.getImage(remote).push({ authconfig }));
    await docker.getImage(remote).remove();
  });
  afterEach(async () => {
    const engine = underTest().runtime();
    for (const { name } of await engine.list()) await engine.remove(name);
    await docker
      .getImage(remote)
      .remove({ force: true })
      .catch(() => undefined);
  });
  afterAll(async () => {
    expect(await underTest().runtime().unprepare()).toBe(true);
    await registry[Symbol.asyncDispose]();
  });

  const of = (overrides: Partial<Template> = {}): Template => template({ image: remote, port: 80, ...overrides });
  const image = async (engine: EngineRuntime, spec: { readonly name: string }): Promise<string> => {
    expect((await engine.list()).map(({ name }) => name)).toContain(spec.name);
    return (await docker.getContainer(spec.name).inspect()).Image.replace(/^sha256:/, '').slice(0, 12);
  };

  it('are fetched where they are missing, with the credentials there are', async () => {
    const engine = underTest().runtime(undefined, undefined, undefined, undefined, registry.credentialsFile);
    const fetched = of();
    await engine.prepare([fetched]);
    // Whoever starts one meanwhile waits for it.
    const spec = await newSpec(fetched);
    await engine.start(spec, never);
    await untilReady(spec);
    expect(engine.imageVersion(fetched)).toBe(await image(engine, spec));
  });

  it('are not fetched without credentials, or where that is not wanted, and that is said with the reason', async () => {
    const engine = underTest().runtime();
    await engine.prepare([of()]);
    await expect(engine.start(await newSpec(of()), never)).rejects.toMatchObject({
      code: 'image_missing',
      message: expect.stringMatching(
        /does not have .*tiny:1 .*It could not be fetched: .*(auth|denied|HTTP request to an HTTPS)/s,
      ) as string,
    });
    const able = underTest().runtime(undefined, undefined, undefined, undefined, registry.credentialsFile);
    await expect(able.prepare([of({ pull: 'never' })])).rejects.toMatchObject({ code: 'image_missing' });
    expect(await able.list()).toEqual([]);
  });

  it('are what the name stood for when it was looked up last', async () => {
    const { runtime, socketPath } = underTest();
    await using first = await loadTinyImage(socketPath);
    await using second = await loadTinyImage(socketPath);
    const [repo, tag] = [`localhost/moving-${randomBytes(4).toString('hex')}`, 'latest'];
    const moving = of({ image: `${repo}:${tag}` });
    const engine = runtime();
    await docker.getImage(first.name).tag({ repo, tag });
    await engine.prepare([moving]);
    const old = engine.imageVersion(moving);
    await docker.getImage(second.name).tag({ repo, tag });
    const before = await newSpec(moving);
    await engine.start(before, never);
    expect(await image(engine, before)).toBe(old);
    await engine.prepare([moving]);
    const after = await newSpec(moving);
    await engine.start(after, never);
    expect(await image(engine, after)).toBe(engine.imageVersion(moving));
    expect(engine.imageVersion(moving)).not.toBe(old);
    for (const { name } of [before, after]) await engine.remove(name);
    // The old one is gone for good: what its name stands for now takes its place.
    await docker.getImage(moving.image).remove();
    await docker.getImage(second.name).remove({ force: true });
    await docker.getImage(first.name).tag({ repo, tag });
    const again = await newSpec(moving);
    await engine.start(again, never);
    expect(await image(engine, again)).toBe(old);
    await engine.remove(again.name);
    await docker.getImage(moving.image).remove();
  });

  it('are refused for another architecture', async () => {
    const { socketPath, runtime } = underTest();
    await using foreign = await loadTinyImage(socketPath, undefined, [], 's390x');
    await expect(runtime().prepare([of({ image: foreign.name })])).rejects.toMatchObject({
      code: 'image_missing',
      message: expect.stringMatching(
        /for s390x only, and this host is \w+\. Fetch or build it for this host/,
      ) as string,
    });
  });
}
