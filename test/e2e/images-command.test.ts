import { createServer } from 'node:http';
import { expect, it, onTestFinished } from 'vitest';
import { Program } from '../support/program.ts';

const ID = { id: 'sha256:02', digest: 'sha256:d2' };
const IMAGE = {
  ...{ image: 'registry.example.org/shop:1', templates: ['shop'], state: 'asked', checks: ['manual'] },
  ...{ serves: null, former: null, trying: null, held: null, problem: null, next_check_at: null, obstacle: null },
  refused: { ...ID, why: 'failed', reason: 'it ended at once', node: 'node0', at: '2026-01-01T00:00:00.000Z' },
  checked_at: '2026-01-01T00:00:00.000Z',
};
const UNTRIED = { reason: 'no database server answers', since: '2026-01-02T03:04:05.000Z', untried: true };

/** A server that is asked for the image, and tells how it goes on: the last for ever. */
async function checked(goesOn: readonly object[]): Promise<{ readonly code: number | null; readonly output: string }> {
  const left = [...goesOn];
  const server = createServer((request, response) => {
    const next = request.method === 'POST' || left.length === 0 ? {} : left.length > 1 ? left.shift() : left[0];
    const image = { ...IMAGE, ...next };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(request.method === 'POST' ? image : { images: [image] }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  const env = { ADMIN_URL: `http://127.0.0.1:${port}`, OPERATOR_KEY: 'k'.repeat(32) };
  await using program = new Program(['images', 'check', 'shop'], env);
  return { code: await program.exitCode, output: program.output };
}

it('ends where something else kept the image from being tried since, and says what comes of that', async () => {
  const before = { ...UNTRIED, reason: 'that of yesterday' };
  const { code, output } = await checked([
    { problem: before },
    { problem: before, trying: { id: ID.id, node: 'node0', step: 'starting', since: UNTRIED.since }, state: 'trying' },
    { problem: UNTRIED, checked_at: UNTRIED.since },
  ]);
  expect(output).toMatch(/node0: starting\n/);
  expect(output).toMatch(/a new one could not be tried for .*, and will be again: no database server answers/);
  expect(output).not.toMatch(/nobody can say/);
  expect(code).toBe(1);
});

it('says which host it waits for', async () => {
  const obstacle = 'no host has the labels eu and gpu, which a, b ask for';
  const { code, output } = await checked([{ obstacle }, { state: 'current', refused: null }]);
  expect(output).toContain(`waiting until a host can take it up: ${obstacle}\n`);
  expect(code).toBe(0);
});
