import { expect, it } from 'vitest';
import { containerUlimits } from './container-options.ts';

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
