import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it, vi } from 'vitest';
import { list } from './webhook-commands.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

/** What `webhooks list` says of a server whose oldest change waits for so long. */
async function saidAfter(waitedMs: number): Promise<string> {
  const said: string[] = [];
  vi.spyOn(console, 'log').mockImplementation((line: string) => void said.push(line));
  const crm = { name: 'crm', origin: 'https://crm.example', events: ['ended'], pending: 0 };
  const none = { dead: 0, lost: 0, lost_at: null };
  const never = { delivered_at: null, failed_at: null, failure: null, failures_in_a_row: 0 };
  const server = createServer((_request, response) => {
    const oldest = new Date(Date.now() - waitedMs).toISOString();
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify({
        outbox: { waiting: 3, dropped: 0, oldest_at: oldest },
        webhooks: [{ ...crm, ...none, ...never }],
      }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await list({ ADMIN_URL: `http://127.0.0.1:${port}`, OPERATOR_KEY: 'an-operators-own-key' }, {});
  await new Promise((resolve) => server.close(resolve));
  return said.join('\n');
}

it('tells of changes that NATS does not take, and not of those that are on their way', async () => {
  expect(await saidAfter(500)).not.toContain('wait for NATS');
  expect(await saidAfter(31_000)).toContain('3 changes of visits wait for NATS, the oldest 31 s ago.');
});
