import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { hostResolvers, nameservers } from './resolvers.ts';

it('takes the IPv4 name servers that a container could reach', () => {
  expect(
    nameservers(
      '# nameserver 192.0.2.1\nsearch example\nnameserver 127.0.0.53\n nameserver\t192.0.2.2 \nnameserver ' +
        'fe80::1\nnameserver 0.0.0.0\nnameserver not-one\nnameserver 192.0.2.3',
    ),
  ).toEqual(['192.0.2.2', '192.0.2.3']);
});

it('looks behind a stub resolver on loopback, and finds none where there is none', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'resolvers-'));
  try {
    const [stub, real, missing] = ['stub', 'real', 'missing'].map((name) => join(dir, name)) as [
      string,
      string,
      string,
    ];
    await writeFile(stub, 'nameserver 127.0.0.53\n');
    await writeFile(real, [1, 2, 3, 4].map((n) => `nameserver 192.0.2.${n}\n`).join(''));
    expect(await hostResolvers([stub, real])).toEqual(['192.0.2.1', '192.0.2.2', '192.0.2.3']);
    expect(await hostResolvers([missing, stub])).toEqual([]);
  } finally {
    await rm(dir, { recursive: true });
  }
});
