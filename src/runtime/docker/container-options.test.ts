import { expect, it } from 'vitest';
import { template } from '../../../test/support/templates.ts';
import { DEFAULT_PROCESS, type ProcessSettings } from '../../domain/process-settings.ts';
import { containerUlimits } from './container-options.ts';
import { needsImageProcess, processOptions } from './process-options.ts';

const limits = (
  files: string,
  processes: string,
): string => `Limit                     Soft Limit           Hard Limit           Units
Max processes             1                    ${processes}               processes
Max open files            1024                 ${files}               files
`;

it('asks for no more files and processes than this process may have itself', () => {
  expect(containerUlimits(limits('4096', '7000'), 32_768)).toEqual([
    { Name: 'nofile', Soft: 4096, Hard: 4096 },
    { Name: 'nproc', Soft: 7000, Hard: 7000 },
  ]);
});

it('asks for no more processes than the kernel has numbers for', () => {
  expect(containerUlimits(limits('4096', '7000'), 5_000)[1]).toEqual({ Name: 'nproc', Soft: 5_000, Hard: 5_000 });
});

it('asks for a bounded number where the host sets no bound', () => {
  for (const generous of [limits('unlimited', 'unlimited'), limits('1048576', '1048576')]) {
    expect(containerUlimits(generous, 4_194_304)).toEqual([
      { Name: 'nofile', Soft: 20_000, Hard: 20_000 },
      { Name: 'nproc', Soft: 20_000, Hard: 20_000 },
    ]);
  }
});

const image = { entrypoint: ['/entry'], command: ['serve'] };
const asked = (process: Partial<ProcessSettings>) => {
  const settings = { ...DEFAULT_PROCESS, ...process };
  const spec = { name: 'a', instanceId: undefined, template: template({ process: settings }), env: {}, hostPort: 1 };
  const { Entrypoint, Cmd } = processOptions(spec, needsImageProcess(settings) ? image : undefined);
  return { Entrypoint, Cmd };
};

it.each<[Partial<ProcessSettings>, ReturnType<typeof asked>]>([
  [{}, { Entrypoint: undefined, Cmd: undefined }],
  [{ command: ['x'] }, { Entrypoint: undefined, Cmd: ['x'] }],
  [{ args: ['x'] }, { Entrypoint: undefined, Cmd: ['serve', 'x'] }],
  [
    { command: [], args: ['x'] },
    { Entrypoint: undefined, Cmd: ['x'] },
  ],
  // Both engines would take the image's CMD for an empty one.
  [{ command: [] }, { Entrypoint: ['/entry'], Cmd: [] }],
  [
    { entrypoint: ['e'], command: [] },
    { Entrypoint: ['e'], Cmd: [] },
  ],
  [
    { entrypoint: ['e'], args: ['x'] },
    { Entrypoint: ['e'], Cmd: ['x'] },
  ],
])('asks the engine to start %j', (process, wanted) => {
  expect(asked(process)).toEqual(wanted);
});

it('refuses to start an image without the CMD that is all it has', () => {
  const bare = template({ process: { ...DEFAULT_PROCESS, command: [] } });
  expect(() =>
    processOptions(
      { name: 'a', instanceId: undefined, template: bare, env: {}, hostPort: 1 },
      { entrypoint: [], command: ['serve'] },
    ),
  ).toThrow(/command: \[\], and its image .* has no ENTRYPOINT/);
});
