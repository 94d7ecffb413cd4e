import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { runInNewContext } from 'node:vm';
import { EventSource } from 'eventsource';
import { expect, it } from 'vitest';

const countdown = (seconds: number, ttlMs: number): string =>
  `retry: 1\nevent: countdown\ndata: ${JSON.stringify({
    remaining_seconds: seconds,
    expires_at: new Date(Date.now() + ttlMs).toISOString(),
  })}\n\n`;

it('has an example whose countdown goes on after a restart behind a proxy', async () => {
  const page = await readFile('docs/embedding.md', 'utf8');
  const [example = ''] = page.split('```js').filter((block) => block.includes('countdown_url);'));
  const answers = [
    [200, countdown(9, 60_000)],
    [502, ''],
    [503, ''],
    [200, countdown(7, 60_000)],
    [200, countdown(0, -1)],
  ] as const;
  let asked = 0;
  let over = (): void => undefined;
  const isOver = new Promise<void>((resolve) => {
    over = resolve;
  });
  const waitsMs: number[] = [];
  const shown: number[] = [];
  await using server = createServer((_request, response) => {
    const [status, body] = answers[asked] ?? [404, ''];
    asked += 1;
    response.writeHead(status, { 'content-type': 'text/event-stream' }).end(body);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  class Heard extends EventSource {
    constructor(url: string) {
      super(url);
      this.addEventListener('error', () => {
        if (this.readyState === EventSource.CLOSED && asked > answers.length) over();
      });
    }
  }
  runInNewContext(example.split('```')[0] ?? '', {
    EventSource: Heard,
    acquired: {
      countdown_url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
      expires_at: new Date(Date.now() + 60_000).toISOString(),
    },
    console: { log: (seconds: number) => shown.push(seconds) },
    setTimeout: (later: () => void, ms: number) => {
      waitsMs.push(ms);
      setImmediate(later);
    },
  });
  await isOver;
  expect(shown).toEqual([9, 7, 0]);
  expect(waitsMs).toEqual([2_000, 4_000]);
});
