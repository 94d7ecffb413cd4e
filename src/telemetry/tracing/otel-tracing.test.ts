import { describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { LogBook } from '../../../test/support/queue.ts';
import { TraceCollector } from '../../../test/support/trace-collector.ts';
import { TryItNowError } from '../../domain/errors.ts';
import { NO_TRACER, within } from '../../domain/tracer.ts';
import { openTracing } from './open-tracing.ts';
import type { Tracing } from './tracing.ts';

/** What waits for a collector at most, and is counted as lost beyond it. */
const MOST_WAITING = 4_096;

async function open(url: string | undefined, sample = 1): Promise<Tracing & AsyncDisposable & { log: LogBook }> {
  const log = new LogBook();
  const tracing = await openTracing({
    settings: { collector: url === undefined ? undefined : { url, headers: {} }, sample, parents: [] },
    from: { version: '1', role: 'server', node: 'n', deployment: 'd' },
    log,
  });
  return { ...tracing, log, [Symbol.asyncDispose]: () => tracing.close() };
}

const nothing = () => Promise.resolve();

it('is off without a collector', async () => {
  const { tracer, ids } = await open(undefined);
  expect(tracer).toBe(NO_TRACER);
  expect(ids).toBeUndefined();
});

describe('spans', () => {
  it('nest as the work does, whatever runs side by side', async () => {
    await using collector = await TraceCollector.start();
    await using tracing = await open(collector.url);
    const { tracer } = tracing;
    const of = (name: string) =>
      within(tracer.begin({ name }), () =>
        tracer.span(`${name} outer`, () => Promise.all([1, 2].map((part) => tracer.span(`${name} ${part}`, nothing)))),
      );
    await Promise.all([of('a'), of('b')]);
    await tracing.close();
    const roots = collector.spans.filter(({ parentId }) => parentId === '');
    expect(roots.map(({ traceId }) => collector.outline(traceId)).sort()).toEqual([
      ['a', '  a outer', '    a 1', '    a 2'],
      ['b', '  b outer', '    b 1', '    b 2'],
    ]);
  });

  it('say how work failed by its code, and nothing of its message', async () => {
    await using collector = await TraceCollector.start();
    await using tracing = await open(collector.url);
    const failing = () => Promise.reject(new TryItNowError('pool_empty', 'for 192.0.2.7'));
    await expect(
      within(tracing.tracer.begin({ name: 'outer' }), () => tracing.tracer.span('inner', failing)),
    ).rejects.toThrow('192.0.2.7');
    await tracing.close();
    expect(collector.spans.map(({ name, failed, attributes }) => [name, failed, attributes])).toEqual([
      ['inner', true, { 'error.type': 'pool_empty' }],
      ['outer', true, { 'error.type': 'pool_empty' }],
    ]);
    expect(collector.raw).not.toContain('192.0.2.7');
  });

  it('are not made outside of a trace', async () => {
    await using collector = await TraceCollector.start();
    await using tracing = await open(collector.url);
    await tracing.tracer.span('alone', nothing);
    tracing.tracer.note(() => {
      throw new Error('asked for');
    });
    expect([tracing.tracer.current(), tracing.ids?.()]).toEqual([undefined, undefined]);
    await tracing.close();
    expect(collector.spans).toEqual([]);
  });
});

describe('sampling', () => {
  const PARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331';

  it('goes by the parent, by what led there, and else by chance', async () => {
    await using collector = await TraceCollector.start();
    await using tracing = await open(collector.url, 0);
    const { tracer } = tracing;
    expect(tracer.begin({ name: 'by chance' })).toBeUndefined();
    expect(tracer.begin({ name: 'unsampled parent', parent: `${PARENT}-00` })).toBeUndefined();
    expect(tracer.begin({ name: 'no parent at all', parent: 'nonsense' })).toBeUndefined();
    tracer.begin({ name: 'sampled parent', parent: `${PARENT}-01` })?.end();
    tracer.begin({ name: 'led to', links: [`${PARENT}-01`, 'nonsense'] })?.end();
    await tracing.close();
    const [child, linked] = collector.spans;
    expect(child).toMatchObject({
      name: 'sampled parent',
      traceId: PARENT.split('-')[1],
      parentId: PARENT.split('-')[2],
    });
    expect(linked).toMatchObject({ name: 'led to', parentId: '', links: [{ traceId: PARENT.split('-')[1] }] });
    expect(collector.spans).toHaveLength(2);
  });
});

describe('a collector in trouble', () => {
  it('costs one line, then spans that are counted, and is told of when it is over', async () => {
    await using collector = await TraceCollector.start();
    await using tracing = await open(collector.url);
    collector.answer = 400;
    for (const round of [1, 2]) {
      tracing.tracer.begin({ name: 'lost' })?.end();
      await eventually(() => expect(tracing.counts).toEqual({ exported: 0, lost: round }));
    }
    expect(tracing.log.lines).toMatchObject([
      { level: 'warn', message: expect.stringContaining('no traces') as string },
    ]);
    collector.answer = 200;
    tracing.tracer.begin({ name: 'taken' })?.end();
    await eventually(() => expect(tracing.counts).toEqual({ exported: 1, lost: 2 }));
    expect(tracing.log.lines).toMatchObject([{}, { level: 'info', fields: { lost: 2 } }]);
  });

  it('bounds what waits for it, and how long a stop does', async () => {
    await using collector = await TraceCollector.start();
    await using tracing = await open(collector.url);
    collector.answer = 'hang';
    for (let at = 0; at < MOST_WAITING + 10; at += 1) tracing.tracer.begin({ name: 'waiting' })?.end();
    expect(tracing.counts).toEqual({ exported: 0, lost: 10 });
    await eventually(() => expect(collector.asked).toBeGreaterThan(0));
    await tracing.close();
    expect(tracing.log.with('did not take the last traces in time')).toHaveLength(1);
  });
});
