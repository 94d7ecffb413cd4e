import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { newInstanceId } from '../../src/domain/ids.ts';
import { connectQueue } from '../../src/queue/connection.ts';
import { storeDeadLetter } from '../../src/queue/dead-letters.ts';
import { createPublisher } from '../../src/queue/publisher.ts';
import { launchEngine, titleFor, whyWithout, type LaunchedEngine } from '../support/container-engine.ts';
import { LiveHost } from '../support/live-host.ts';
import { bashBlocks, type Block } from '../support/page-blocks.ts';
import { silent } from '../support/store.ts';
import { loadTinyImage, type TinyImage } from '../support/tiny-image.ts';

const PAGE = 'docs/operations.md';
const page = readFileSync(PAGE, 'utf8');
const BLOCK_TIMEOUT_MS = 240_000;

describe.skipIf(whyWithout('podman') !== undefined)(`${PAGE}, run from top to bottom on ${titleFor('podman')}`, () => {
  let podman: LaunchedEngine;
  let image: TinyImage;
  let host: LiveHost;
  beforeAll(async () => {
    podman = await launchEngine('podman');
    image = await loadTinyImage(podman.socketPath);
    // An app that writes down who it was told to be, and says so when asked.
    const whoami = ['/bin/sh', '-c', 'echo "$TRY_IT_NOW_INSTANCE_ID $TRY_IT_NOW_SEED" > /www/whoami'];
    host = await LiveHost.launch({
      podmanSocket: podman.socketPath,
      ports: 48,
      templates: [
        {
          name: 'hello',
          title: 'Hello',
          image: image.name,
          port: image.port,
          activation: { exec: whoami },
          identity: { http: '/whoami' },
          pool: { target: 2, max: 8 },
        },
      ],
    });
    await host.settled();
  });
  afterAll(async () => {
    await host[Symbol.asyncDispose]();
    await image[Symbol.asyncDispose]();
    await podman[Symbol.asyncDispose]();
  });

  /** What a block needs to find, where a live system that is well has none of it. */
  const STAGED: readonly (readonly [block: RegExp, stage: () => Promise<void>])[] = [
    [
      /queue drop "\$SEQUENCE"/,
      async () => {
        await withQueue(async (connection) =>
          createPublisher({ connection, log: silent }).publishCleanup({
            v: 1,
            kind: 'cleanup',
            id: newInstanceId(),
            node: 'node9',
          }),
        );
      },
    ],
    [
      /queue retry "\$SEQUENCE"/,
      async () =>
        withQueue(async (connection) => {
          for (const sequence of [101, 102]) {
            const payload = new TextEncoder().encode(
              JSON.stringify({ v: 1, kind: 'cleanup', id: newInstanceId(), node: 'node0' }),
            );
            await storeDeadLetter(connection, {
              subject: 'provisioning.cleanup.node0',
              payload,
              sequence,
              publishedAt: new Date(),
              attempts: 5,
              reason: 'the engine was gone',
            });
          }
        }),
    ],
  ];

  async function withQueue(
    work: (connection: Awaited<ReturnType<typeof connectQueue>>) => Promise<unknown>,
  ): Promise<void> {
    const connection = await connectQueue({ url: host.natsUrl, log: silent });
    try {
      await work(connection);
    } finally {
      await connection.close();
    }
  }

  it.each(
    bashBlocks(page).map(
      (block) => [`line ${block.line}, ${block.heading}: ${block.script.split('\n')[0] ?? ''}`, block] as const,
    ),
  )(
    '%s',
    async (title, block) => {
      await host.settled();
      for (const [needs, stage] of STAGED) if (needs.test(block.script)) await stage();
      const { code, output } = await run(host.here(block.script), host.env);
      const shown = `${title}\n\n${block.script}\n\nended with exit code ${code ?? 'none'} and this output:\n${output}`;
      process.stdout.write(`${shown}\n`);
      if (code === null || !block.exits.includes(code))
        throw new Error(`${shown}\nThe server's last lines:\n${await host.log()}`);
      requireExpected(block, output, shown, (text) => host.here(text));
    },
    BLOCK_TIMEOUT_MS + 70_000,
  );
});

function requireExpected({ expected }: Block, output: string, shown: string, here: (text: string) => string): void {
  let from = 0;
  for (const wanted of expected.map(here)) {
    const at = output.indexOf(wanted, from);
    if (at === -1) throw new Error(`${shown}\nIt does not show, in its place, what the page says it does: ${wanted}`);
    from = at + wanted.length;
  }
}

/** As typed line by line: none of the commands may fail. */
async function run(
  script: string,
  env: Readonly<Record<string, string>>,
): Promise<{ readonly code: number | null; readonly output: string }> {
  const shell = spawn('bash', ['-euo', 'pipefail', '-c', script], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: BLOCK_TIMEOUT_MS,
    killSignal: 'SIGKILL',
  });
  let output = '';
  for (const stream of [shell.stdout, shell.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
  return new Promise((resolve, reject) => {
    shell.once('error', reject);
    shell.once('close', (code) => resolve({ code, output }));
  });
}
