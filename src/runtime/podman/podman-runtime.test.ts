import { BlockList } from 'node:net';
import { expect, it } from 'vitest';
import { subnetFor } from './podman-runtime.ts';

it('draws /22 networks out of 10.64.0.0/10, another one at each try', () => {
  const range = new BlockList();
  range.addSubnet('10.64.0.0', 10);
  for (const seed of [0, 1, 0xffff, 0x1234]) {
    const drawn = [0, 1, 2, 15, 20, 21, 22, 35].map((attempt) => subnetFor({ seed }, attempt));
    expect(new Set(drawn).size).toBe(drawn.length);
    for (const subnet of drawn) {
      const [address = '', prefix] = subnet.split('/');
      expect(prefix).toBe('22');
      expect(range.check(address)).toBe(true);
      expect(Number(address.split('.')[2]) % 4).toBe(0);
    }
  }
});

it("leaves a /16 that is in use, as Podman's default network is, at the next try", () => {
  const network = { seed: 0x600 };
  expect(subnetFor(network, 0)).toBe('10.88.0.0/22');
  for (let attempt = 1; attempt < 16; attempt += 1) expect(subnetFor(network, attempt)).not.toMatch(/^10\.88\./);
});
