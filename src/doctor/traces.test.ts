import { expect, it } from 'vitest';
import { TraceCollector } from '../../test/support/trace-collector.ts';
import { freePort } from '../launcher/tcp-ports.ts';
import { runChecks } from './check.ts';
import { traceChecks } from './traces.ts';

async function seen(url: string): Promise<string[]> {
  const found = await runChecks(
    traceChecks({ collector: { url, headers: { 'x-key': 'secret' } }, sample: 0.01, parents: [] }),
  );
  return found.map(({ part, what, verdict, seen: text }) => `${part} ${what} ${verdict}: ${text}`);
}

it('asks the collector as a server does', async () => {
  await using collector = await TraceCollector.start();
  expect(await seen(`${collector.url}/`)).toEqual([
    `Traces collector ok: ${collector.url}/ takes traces; 1 % of clicks and refills are traced`,
  ]);
  expect(collector.headers).toMatchObject([{ 'x-key': 'secret' }]);
  collector.answer = 401;
  expect(await seen(collector.url)).toEqual([`Traces collector failure: ${collector.url} answers 401`]);
});

it('says that none answers, and looks for none where nothing is traced', async () => {
  const url = `http://127.0.0.1:${await freePort()}`;
  expect((await seen(url))[0]).toMatch(`Traces collector failure: ${url} does not answer: `);
  expect(traceChecks({ collector: undefined, sample: 0.01, parents: [] })).toEqual([]);
});
