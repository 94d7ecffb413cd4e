import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Dockerode from 'dockerode';
import { afterAll, afterEach, beforeAll, expect, it, onTestFinished } from 'vitest';
import type { ImagePin } from '../../src/domain/image-pin.ts';
import type { Template } from '../../src/domain/template.ts';
import type { EngineRuntime } from '../../src/runtime/docker/engine-runtime.ts';
import { loadEngine } from '../../src/runtime/engines.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
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

  it('are not fetched while the disk has no room for them', async () => {
    const { engine: name, socketPath, deployment } = underTest();
    const disk = { low: true };
    const loaded = await loadEngine(name);
    if (!loaded.runsContainers) throw new Error(`${name} runs no containers`);
    const engine = loaded.createRuntime({
      ...{ socketPath, deployment, node: 'node-a', log: createLogger('silent') },
      registryAuthFile: registry.credentialsFile,
      hasRoom: () => !disk.low,
    }) as EngineRuntime;
    await engine.prepare([of()]);
    await expect(engine.start(await newSpec(of()), never)).rejects.toMatchObject({
      code: 'image_missing',
      message: expect.stringContaining('less room than DISK_RESERVE keeps free') as unknown,
    });
    await expect(engine.fetchImage(remote, () => undefined)).rejects.toMatchObject({ code: 'image_missing' });
    disk.low = false;
    await engine.fetchImage(remote, () => undefined);
    expect(await engine.foundImages([remote])).toHaveLength(1);
  });

  it('are told of when they are fetched, with who uses them, and go when nobody does', async () => {
    const { engine: name, socketPath, deployment, runtime } = underTest();
    const loaded = await loadEngine(name);
    if (!loaded.runsContainers) throw new Error(`${name} runs no containers`);
    const log = createLogger('silent');
    const storage = loaded.createImageStorage({ socketPath, deployment, node: 'node-a', log });
    const told: unknown[] = [];
    const note = (what: unknown): Promise<void> => {
      told.push(what);
      return Promise.resolve();
    };
    const engine = runtime(undefined, undefined, undefined, undefined, registry.credentialsFile, undefined, {
      begin: note,
      end: (reference, id) => note([reference, id]),
    });
    await engine.prepare([of()]);
    const spec = await newSpec(of());
    await engine.start(spec, never);
    const stored = async () => (await storage.list()).find(({ names }) => names.includes(remote));
    const { id = '', names = [] } = (await stored()) ?? {};
    expect(told).toEqual([
      { reference: remote, name: remote, present: expect.not.arrayContaining([id]) as unknown },
      [remote, id],
    ]);
    expect(await stored()).toMatchObject({ used: true, digests: [expect.stringMatching(/tiny@sha256:/)] });
    expect(await storage.remove({ id, names })).toBe(false);
    await engine.remove(spec.name);
    expect(await stored()).toMatchObject({ used: false });
    await docker.getImage(id).tag({ repo: `${registry.address}/tiny`, tag: 'again' });
    expect(await storage.remove({ id, names })).toBe(false);
    const both = (await stored())?.names ?? [];
    expect(both).toHaveLength(2);
    const gone = { id, names: both };
    expect([await storage.remove(gone), await storage.remove(gone)]).toEqual([true, true]);
    expect(await stored()).toBeUndefined();
  });

  it('are removed by several at the same time', async () => {
    const { engine: name, socketPath, deployment } = underTest();
    const loaded = await loadEngine(name);
    if (!loaded.runsContainers) throw new Error(`${name} runs no containers`);
    const storage = loaded.createImageStorage({ socketPath, deployment, node: 'node-a', log: createLogger('silent') });
    for (let round = 0; round < 20; round += 1) {
      await using tiny = await loadTinyImage(socketPath);
      const image = (await storage.list()).find(({ names }) => names.includes(tiny.name)) ?? { id: '', names: [] };
      expect(image.names).toEqual([tiny.name]);
      const answers = await Promise.all(Array.from({ length: 4 }, () => storage.remove(image)));
      expect(answers).toEqual([true, true, true, true]);
    }
  });

  it.each(['', ':1'])('are listed by the digest that a template names them by, also after the tag: %j', async (tag) => {
    const { engine: name, socketPath, deployment, runtime } = underTest();
    const loaded = await loadEngine(name);
    if (!loaded.runsContainers) throw new Error(`${name} runs no containers`);
    const storage = loaded.createImageStorage({ socketPath, deployment, node: 'node-a', log: createLogger('silent') });
    const engine = runtime(undefined, undefined, undefined, undefined, registry.credentialsFile);
    await engine.fetchImage(remote, () => undefined);
    const [found] = await engine.foundImages([remote]);
    await docker.getImage(remote).remove();
    const fixed = of({ image: `${registry.address}/tiny${tag}@${found?.digest ?? ''}` });
    await engine.prepare([fixed]);
    const spec = await newSpec(fixed);
    await engine.start(spec, never);
    await engine.remove(spec.name);
    const stored = (await storage.list()).find(({ id }) => id === found?.id);
    expect(stored).toMatchObject({ names: [], used: false });
    expect(stored?.digests).toContain(`${registry.address}/tiny@${found?.digest ?? ''}`);
    // It goes with all that it is known by.
    await docker.getImage(found?.id ?? '').tag({ repo: `${registry.address}/tiny`, tag: '1' });
    expect(await storage.remove({ id: found?.id ?? '', names: [remote] })).toBe(true);
    expect((await storage.list()).map(({ id }) => id)).not.toContain(found?.id);
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
    await expect(engine.fetchImage(remote, () => undefined)).rejects.toMatchObject({
      code: 'image_missing',
      message: expect.stringMatching(/could not fetch .*tiny:1: .*(auth|denied|HTTP request to an HTTPS)/s) as string,
    });
    const folder = await mkdtemp(join(tmpdir(), 'tin-auth-'));
    try {
      const elsewhere = join(folder, 'auth.json');
      await writeFile(elsewhere, JSON.stringify({ auths: { 'registry.example.org': { auth: 'YTpi' } } }));
      const stranger = underTest().runtime(undefined, undefined, undefined, undefined, elsewhere);
      await expect(stranger.fetchImage(remote, () => undefined)).rejects.toMatchObject({
        code: 'image_missing',
        message: expect.stringContaining(`(REGISTRY_AUTH_FILE has no login for ${registry.address})`) as string,
      });
    } finally {
      await rm(folder, { recursive: true });
    }
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

  it('are what all nodes agreed on, although their tag has moved since', async () => {
    const { runtime, socketPath } = underTest();
    const able = runtime(undefined, undefined, undefined, undefined, registry.credentialsFile);
    await able.prepare([of()]);
    await able.start(await newSpec(of()), never);
    const [agreed] = await able.foundImages([remote, 'localhost/there/is:none']);
    if (agreed === undefined) throw new Error('it was fetched just now');
    expect(agreed).toEqual({ name: remote, id: agreed.id, digest: expect.stringMatching(/^sha256:/) as string });
    for (const { name } of await able.list()) await able.remove(name);

    // Another one under its name: here, and in the registry.
    await using other = await loadTinyImage(socketPath);
    const [repo, tag] = [`${registry.address}/tiny`, '1'];
    await docker.getImage(remote).remove({ force: true });
    await docker.getImage(other.name).tag({ repo, tag });
    const authconfig = { ...registry.login, serveraddress: registry.address };
    await follow(await docker.getImage(remote).push({ authconfig }));
    const [moved] = await able.foundImages([remote]);
    expect(moved?.id).not.toBe(agreed.id);

    const { id, digest } = agreed;
    const pins = new Map<string, ImagePin>([[remote, { v: 1, id, node: 'node-b', ...(digest ? { digest } : {}) }]]);
    const bound = runtime(undefined, undefined, undefined, undefined, registry.credentialsFile, pins);
    // What is fetched under the name is there, and changes nothing by itself.
    await docker.getImage(remote).remove({ force: true });
    await bound.fetchImage(remote, () => undefined);
    expect((await bound.foundImages([remote]))[0]?.id).toBe(moved?.id);
    const spec = await newSpec(of());
    await bound.start(spec, never);
    expect(await image(bound, spec)).toBe(id.replace(/^sha256:/, '').slice(0, 12));
    // It has both now, and goes by what is agreed on next.
    pins.set(remote, { v: 1, id: moved?.id ?? '', node: 'node-b' });
    await bound.prepare([of()]);
    const next = await newSpec(of());
    await bound.start(next, never);
    expect(await image(bound, next)).toBe(moved?.id.replace(/^sha256:/, '').slice(0, 12));
    for (const { name } of await bound.list()) await bound.remove(name);
    await docker.getImage(id).remove({ force: true });
  });

  it('are fetched anew whatever else is on its way, and nobody who has what is pinned waits for that', async () => {
    const { runtime, socketPath } = underTest();
    const [repo, tag] = [`${registry.address}/two`, '1'];
    const name = `${repo}:${tag}`;
    const authconfig = { ...registry.login, serveraddress: registry.address };
    const pushed = async (local: { readonly name: string }): Promise<void> => {
      await docker.getImage(local.name).tag({ repo, tag });
      await follow(await docker.getImage(name).push({ authconfig }));
      await docker.getImage(name).remove();
    };
    const able = (pins?: ReadonlyMap<string, ImagePin>): EngineRuntime =>
      runtime(undefined, undefined, undefined, undefined, registry.credentialsFile, pins);
    const ids: string[] = [];
    onTestFinished(async () => {
      for (const { name: container } of await able().list()) await able().remove(container);
      for (const id of ids) await docker.getImage(id).remove({ force: true });
    });
    {
      await using old = await loadTinyImage(socketPath);
      await pushed(old);
    }
    await able().fetchImage(name, () => undefined);
    const [found] = await able().foundImages([name]);
    ids.push(found?.id ?? '');
    await docker.getImage(name).remove();
    {
      await using fresh = await loadTinyImage(socketPath);
      ids.push((await docker.getImage(fresh.name).inspect()).Id);
      await pushed(fresh);
    }
    const pin = { v: 1, id: found?.id ?? '', node: 'node-b', digest: found?.digest ?? '' } as const;
    const bound = able(new Map<string, ImagePin>([[name, pin]]));
    const twice = of({ image: name });

    // What is pinned is on its way, for as long as the registry stands still.
    registry.signal('SIGSTOP');
    await bound.prepare([twice]);
    const anew = bound.fetchImage(name, () => undefined);
    registry.signal('SIGCONT');
    await anew;
    expect((await bound.foundImages([name]))[0]?.id).toBe(ids[1]);

    // What is pinned is here.
    registry.signal('SIGSTOP');
    const again = bound.fetchImage(name, () => undefined);
    try {
      const spec = await newSpec(twice);
      await bound.start(spec, never);
      expect(await image(bound, spec)).toBe(pin.id.replace(/^sha256:/, '').slice(0, 12));
    } finally {
      registry.signal('SIGCONT');
    }
    await again;
  });

  /** What is pinned is in the registry alone, and its tag nowhere. */
  const withoutTag = async () => {
    const { runtime } = underTest();
    const able = (pins?: ReadonlyMap<string, ImagePin>): EngineRuntime =>
      runtime(undefined, undefined, undefined, undefined, registry.credentialsFile, pins);
    const unpinned = able();
    // Makes the network, too.
    await unpinned.prepare([of()]);
    await unpinned.fetchImage(remote, () => undefined);
    const [{ id, digest = '' } = { id: '' }] = await unpinned.foundImages([remote]);
    await docker.getImage(remote).remove();
    onTestFinished(async () => {
      // With Docker it goes with its last name.
      await docker
        .getImage(id)
        .remove({ force: true })
        .catch(() => undefined);
    });
    const name = `${registry.address}/tiny:gone`;
    return { id, name, bound: able(new Map<string, ImagePin>([[name, { v: 1, id, node: 'node-b', digest }]])) };
  };

  it('are fetched as they are pinned although their tag cannot be', async () => {
    const { id, name, bound } = await withoutTag();
    await expect(bound.fetchImage(name, () => undefined)).rejects.toMatchObject({ code: 'image_missing' });
    const spec = await newSpec(of({ image: name }));
    await bound.start(spec, never);
    expect(await image(bound, spec)).toBe(id.replace(/^sha256:/, '').slice(0, 12));
  });

  it('keep nobody who is told to stop waiting for what somebody else fetches', async () => {
    const { name, bound } = await withoutTag();
    const pinned = of({ image: name });
    onTestFinished(() => registry.signal('SIGCONT'));
    registry.signal('SIGSTOP');
    await bound.prepare([pinned]);
    const first = bound.fetchImage(remote, () => undefined);
    const stopped = new AbortController();
    const waiting = [name, remote].map((each) => bound.fetchImage(each, () => undefined, stopped.signal));
    const reason = new Error('told to stop');
    stopped.abort(reason);
    expect(await Promise.allSettled(waiting)).toEqual(waiting.map(() => ({ status: 'rejected', reason })));
    registry.signal('SIGCONT');
    await first;
    await bound.start(await newSpec(pinned), never);
  });

  it('are refused where the name stands for something else here, and what was agreed on cannot be had', async () => {
    const { runtime, socketPath } = underTest();
    await using local = await loadTinyImage(socketPath);
    const gone = `sha256:${'0'.repeat(64)}`;
    const pins = new Map<string, ImagePin>([[local.name, { v: 1, id: gone, node: 'node-b' }]]);
    const bound = runtime(undefined, undefined, undefined, undefined, undefined, pins);
    const refusal = {
      code: 'image_missing',
      message: expect.stringMatching(
        new RegExp(
          `does not have .* as it is on the other nodes, ${gone}, which the server of node-b decided on.* save -o`,
        ),
      ) as string,
    };
    await expect(bound.prepare([of({ image: local.name })])).rejects.toMatchObject(refusal);
    await expect(bound.start(await newSpec(of({ image: local.name })), never)).rejects.toMatchObject(refusal);
    expect(await bound.list()).toEqual([]);
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
