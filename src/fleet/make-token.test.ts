import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { HostFiles } from './host-files.ts';
import { makeToken } from './make-token.ts';
import { addressTowards } from './own-address.ts';

const VALKEY = '192.0.2.1';

/** Of a proxy that answers, at an address that others reach. */
async function proxyUrl(): Promise<string> {
  const own = await addressTowards(VALKEY);
  const proxy = createServer((_, response) => response.end());
  onTestFinished(() => new Promise((closed) => proxy.close(() => closed())));
  await new Promise<void>((listening) => proxy.listen(0, own, listening));
  return `http://${own}:${(proxy.address() as AddressInfo).port}`;
}

async function proxiesLetIn(env: Readonly<Record<string, string>>): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'tin-token-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const { settings } = await makeToken({
    env: {
      VALKEY_URL: `valkey://${VALKEY}`,
      NATS_URL: `nats://${VALKEY}`,
      PROXY_INTERNAL_URL: await proxyUrl(),
      ...env,
    },
    files: new HostFiles(folder),
    program: '1.0.0',
    nowMs: 0,
    lifeMs: 1,
    verify: () => Promise.resolve(),
  });
  return settings['PROXY_ADDRESSES'];
}

it('has hosts let in what a server without an engine comes from, where it says so, and else its address', async () => {
  const own = await addressTowards(VALKEY);
  const named = '10.244.0.0/16,10.0.0.9/32';
  expect(await proxiesLetIn({ CONTAINER_MODE: 'none', PROXY_ADDRESSES: named })).toBe(named);
  expect(await proxiesLetIn({ CONTAINER_MODE: 'none' })).toBe(own);
  const onNode = { CONTAINER_MODE: 'podman', NODE_ADDRESS: '10.0.0.2', PROXY_ADDRESSES: '10.0.0.9' };
  expect(await proxiesLetIn(onNode)).toBe(`${own},10.0.0.9/32`);
});

it('has hosts let in the proxies through which they look at instances', async () => {
  const own = await addressTowards(VALKEY);
  const urls = [await proxyUrl(), 'http://10.0.0.2:8000', 'https://proxies.example.org'].join(',');
  expect(await proxiesLetIn({ CONTAINER_MODE: 'podman', PROXY_INTERNAL_URL: urls })).toBe(`${own},10.0.0.2`);
  // Whoever says from where they come, as where addresses are translated, says all of it.
  const env = { CONTAINER_MODE: 'none', PROXY_ADDRESSES: '10.244.0.0/16', PROXY_INTERNAL_URL: urls };
  expect(await proxiesLetIn(env)).toBe('10.244.0.0/16');
});
