import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Releasers } from '../../src/lifecycle/releasers.ts';
import { boardFolder, startHelloApp, type HelloApp } from '../support/hello-app.ts';
import { silent } from '../support/store.ts';

const newSeed = (): string => randomBytes(32).toString('hex');

describe('the activation of a notes board', () => {
  let releasers: Releasers;

  beforeEach(() => {
    releasers = new Releasers();
  });
  afterEach(() => releasers.releaseAll(silent));

  async function start(): Promise<HelloApp> {
    const folder = await boardFolder();
    releasers.push('folder', () => folder[Symbol.asyncDispose]());
    const app = await startHelloApp({ dataDir: folder.path });
    releasers.push('app', () => app[Symbol.asyncDispose]());
    return app;
  }

  it('takes all that makes a board its own from the seed, and nothing from what the process drew before', async () => {
    const seed = newSeed();
    const [one, same, other] = await Promise.all([start(), start(), start()]);
    const before = await Promise.all([one, same].map((app) => app.identity()));
    expect(before[0]?.['fingerprint']).not.toBe(before[1]?.['fingerprint']);
    // Numbers drawn earlier must not show in those drawn later.
    await fetch(`${one.url}/api/ideas?q=moon`);

    for (const [app, its] of [
      [one, seed],
      [same, seed],
      [other, newSeed()],
    ] as const)
      expect((await app.activate({ seed: its })).status).toBe(204);

    const [first, second, third] = await Promise.all([one, same, other].map((app) => app.identity()));
    expect(second).toEqual(first);
    expect(third?.['fingerprint']).not.toBe(first?.['fingerprint']);
    const ideas = await Promise.all(
      [one, same, other].map(async (app) => (await fetch(`${app.url}/api/ideas?q=moon`)).json()),
    );
    expect(ideas[1]).toEqual(ideas[0]);
    expect(ideas[2]).not.toEqual(ideas[0]);
  });

  it('shows the name and the address handed over, and when', async () => {
    const app = await start();
    const before = await app.board();
    const askedAt = new Date().toISOString();
    await app.activate({ seed: newSeed(), hostname: 'q3k5abcdefghij234567.demos.example' });
    const after = await app.board();
    expect(after).toMatchObject({
      container: 'q3k5abcdefgh',
      name: (await app.identity())['board'],
      notes: before.notes,
    });
    expect(after.startedAt >= askedAt).toBe(true);
    expect(before.startedAt < askedAt).toBe(true);
    const page = await (await fetch(app.url)).text();
    expect(page).toContain(`<h1 id="name">${after.name}</h1>`);
  });

  it('happens once, also when it is asked for twice at the same moment', async () => {
    const app = await start();
    const answers = await Promise.all([app.activate({ seed: newSeed() }), app.activate({ seed: newSeed() })]);
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 409]);
    const identity = await app.identity();
    const late = await app.activate({ seed: newSeed() });
    expect([late.status, await late.json()]).toEqual([409, expect.objectContaining({ code: 'already_activated' })]);
    expect(await app.identity()).toEqual(identity);
  });

  it('gives neither the seed nor the instance id away', async () => {
    const app = await start();
    const seed = newSeed();
    await app.activate({ seed });
    const told = await Promise.all(
      ['/', '/api/board', '/.try-it-now/identity'].map(async (path) => (await fetch(`${app.url}${path}`)).text()),
    );
    expect(told.join('')).not.toContain(seed);
    expect(told.join('')).not.toContain(app.handedOver.instance_id);
    expect(app.server.tail()).not.toContain(seed);
  });

  it.each<[string, object]>([
    ['no seed', { seed: undefined }],
    ['a short seed', { seed: 'abc' }],
    ['a seed that is a number', { seed: 7 }],
    ['no hostname', { hostname: undefined }],
    ['an endless url', { url: 'x'.repeat(501) }],
  ])('refuses %s and waits for a better one', async (_, wrong) => {
    const app = await start();
    const refused = await app.activate({ seed: newSeed(), ...wrong });
    expect([refused.status, await refused.json()]).toEqual([400, expect.objectContaining({ code: 'bad_activation' })]);
    expect((await app.activate({ seed: newSeed() })).status).toBe(204);
  });

  it('cannot be asked for by a page of another site', async () => {
    const app = await start();
    const answer = await app.activate({ seed: newSeed() }, { Origin: 'http://evil.example' });
    expect([answer.status, await answer.json()]).toEqual([403, expect.objectContaining({ code: 'foreign_origin' })]);
  });
});
