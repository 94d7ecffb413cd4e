import { expect, it } from 'vitest';
import { LogWriter } from '../telemetry/log-writer.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { logObservation } from './log.ts';

async function observed(logLosses: { readonly dropped: number; readonly failing: boolean }) {
  const text = await new Metrics({ templates: [], version: '1', logLosses }).text();
  return logObservation(text, 'try-it-now');
}

it('tells a log that is written from one that lost lines and one that cannot be written', async () => {
  expect(await observed(new LogWriter())).toMatchObject({ verdict: 'ok' });
  expect(await observed({ dropped: 3, failing: false })).toMatchObject({
    verdict: 'warning',
    seen: '3 lines are lost since the start; it is written again',
  });
  expect(await observed({ dropped: 4, failing: true })).toMatchObject({
    verdict: 'failure',
    seen: expect.stringContaining('cannot be written: 4 lines') as string,
  });
  expect(logObservation(undefined, 'try-it-now')).toMatchObject({ verdict: 'not_looked_at' });
});
