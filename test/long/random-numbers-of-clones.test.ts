import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { extract } from 'tar';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_DUMP } from '../../src/domain/template.ts';
import type { ContainerSpec } from '../../src/pool/interfaces/container-runtime.ts';
import { createPodmanCheckpointing } from '../../src/runtime/podman/checkpoint/podman-checkpointing.ts';
import { createPodmanRuntime } from '../../src/runtime/podman/podman-runtime.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { newSpec, untilReady } from '../contract/container-runtime.ts';
import {
  launchEngine,
  titleFor,
  uniqueDeployment,
  whyWithout,
  type LaunchedEngine,
} from '../support/container-engine.ts';
import { Cleanups, ownFolder } from '../support/deployment.ts';
import { loadNodeImage } from '../support/node-image.ts';
import { template } from '../support/templates.ts';
import type { TinyImage } from '../support/tiny-image.ts';

const never = new AbortController().signal;

/** Draws in every way that Node has: in its main thread, its thread pool and a worker. It did so before it listened. */
const APP = `
const { createServer } = require('node:http');
const { promisify } = require('node:util');
const { Worker, isMainThread, parentPort } = require('node:worker_threads');
const crypto = require('node:crypto');
const { randomUUID, randomInt } = crypto;
const hash = (key) => crypto.createHash('sha256').update(key.export({ type: 'pkcs8', format: 'der' })).digest('hex');
const draw = async () => ({
  bytes: crypto.randomBytes(16).toString('hex'),
  poolBytes: (await promisify(crypto.randomBytes)(16)).toString('hex'),
  webBytes: Buffer.from(crypto.webcrypto.getRandomValues(new Uint8Array(16))).toString('hex'),
  uuid: randomUUID(),
  webUuid: crypto.webcrypto.randomUUID(),
  integer: randomInt(2 ** 47),
  poolInteger: await promisify(randomInt)(2 ** 47),
  key: hash(crypto.generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey),
  poolKey: hash((await promisify(crypto.generateKeyPair)('ec', { namedCurve: 'prime256v1' })).privateKey),
  float: Math.random(),
});
if (isMainThread) {
  const worker = new Worker(__filename);
  const ofWorker = () => new Promise((resolve) => { worker.once('message', resolve); worker.postMessage(''); });
  const all = async () => ({ main: await draw(), worker: await ofWorker() });
  all().then(() => createServer(async (request, response) => {
    response.setHeader('Connection', 'close').end(JSON.stringify(await all()));
  }).listen(80, '0.0.0.0'));
} else parentPort.on('message', async () => parentPort.postMessage(await draw()));
`;

type Drawn = Readonly<Record<string, Readonly<Record<string, string | number>>>>;

const isX64 = process.arch === 'x64';
if (!isX64) process.stderr.write('Skipped: random numbers of clones; calls are made in processes of x86-64 alone\n');

describe.skipIf(whyWithout('podman') !== undefined || !isX64)(
  `random numbers of clones, on ${titleFor('podman')}`,
  () => {
    const cleanups = new Cleanups('clones');
    let podman: LaunchedEngine;
    let image: TinyImage;
    let folder: string;
    const deployment = uniqueDeployment();

    beforeAll(async () => {
      folder = await ownFolder(cleanups, 'tin-random-');
      podman = await launchEngine('podman');
      cleanups.push(() => podman[Symbol.asyncDispose]());
      image = await loadNodeImage(podman.socketPath, APP);
      cleanups.push(() => image[Symbol.asyncDispose]());
    });
    afterAll(() => cleanups[Symbol.asyncDispose]());

    it('are each its own in Node, from the first one on', async () => {
      const options = { socketPath: podman.socketPath, deployment, node: 'node-a', log: createLogger('silent') };
      const runtime = createPodmanRuntime({ ...options, resolvers: ['127.0.0.1'] });
      cleanups.push(async () => {
        for (const { name } of await runtime.list()) await runtime.remove(name);
        expect(await runtime.unprepare()).toBe(true);
      });
      const checkpointing = createPodmanCheckpointing({ ...options, resolvers: ['127.0.0.1'] });
      const limits = { memoryBytes: 512 * 2 ** 20, cpus: 1, pids: 64 };
      const of = template({ image: image.name, port: image.port, limits });
      await runtime.prepare([of]);
      const source = await newSpec(of);
      await runtime.start(source, never);
      await untilReady(source);
      await checkpointing.untilIdle(source.name, 60_000, never);
      await checkpointing.examine(source.name, DEFAULT_DUMP);
      expect(await checkpointing.ownGenerators(source.name)).toEqual([]);
      expect(await checkpointing.whyNotFresh()).toBeUndefined();
      await checkpointing.dump(source.name, join(folder, 'node.tar'), DEFAULT_DUMP);
      await runtime.remove(source.name);
      const unpacked = join(folder, 'node');
      await mkdir(unpacked);
      await extract({ file: join(folder, 'node.tar'), cwd: unpacked, preserveOwner: true });

      const clones = [await newSpec(of), await newSpec(of)];
      for (const clone of clones)
        await checkpointing.restore(clone, { id: '0123456789abcdef', folder: unpacked, fileLocks: false }, never);
      const [one, two] = [await drawnBy(clones[0]), await drawnBy(clones[1])];
      expect(Object.keys(one)).toEqual(['main', 'worker']);
      for (const [thread, draws] of Object.entries(one))
        for (const [how, drawn] of Object.entries(draws))
          expect({ thread, how, drawn }).not.toEqual({ thread, how, drawn: two[thread]?.[how] });
    });
  },
);

/** Of its very first draws after the restore. */
async function drawnBy(clone: ContainerSpec | undefined): Promise<Drawn> {
  if (clone === undefined) throw new Error('there are two clones');
  const answer = await fetch(`http://127.0.0.1:${clone.hostPort}/`);
  return (await answer.json()) as Drawn;
}
