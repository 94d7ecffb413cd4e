import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { silent } from '../../test/support/store.ts';
import { template } from '../../test/support/templates.ts';
import { Catalogue, type Template } from '../domain/template.ts';
import { KernelPageMerging } from '../runtime/page-merging/page-merging.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { MemorySharing } from './share-memory.ts';

const OURS = '5003';
let kernel: string;

beforeEach(async () => {
  const made = await mkdtemp(join(tmpdir(), 'tin-ksm-'));
  kernel = made;
  onTestFinished(() => rm(made, { recursive: true }));
});

/** As the kernel has it. */
async function has(run: string, pagesToScan: string): Promise<void> {
  const files = { run, pages_to_scan: pagesToScan, full_scans: '7', pages_sharing: '0' };
  for (const [name, text] of Object.entries(files)) await writeFile(join(kernel, name), `${text}\n`);
}
const runs = async (): Promise<string> => (await readFile(join(kernel, 'run'), 'utf8')).trim();

const sharing = (of: Template): MemorySharing =>
  new MemorySharing({
    catalogue: new Catalogue([of]),
    inventory: { ofNode: () => Promise.resolve([]) },
    consumption: { memoryOf: () => Promise.resolve(undefined) },
    pageMerging: new KernelPageMerging(kernel),
    observer: new Metrics({ templates: ['tiny'], version: 'test' }),
    node: { name: 'node0' },
    log: silent,
  });

it.each([
  ['no template shares memory any more', template()],
  ['one does, and has no instance', template({ memory: 'share' })],
])('what a killed process left on is ended where %s', async (_, of) => {
  await has('1', OURS);
  await sharing(of).round();
  expect(await runs()).toBe('0');
});

it('what another process of the node has begun goes on when one stops that began nothing', async () => {
  await has('1', OURS);
  await sharing(template({ memory: 'share' })).stop();
  expect(await runs()).toBe('1');
});

it('what the host has set up itself stays on', async () => {
  await has('1', '100');
  const own = sharing(template());
  await own.round();
  await own.stop();
  expect(await runs()).toBe('1');
});
