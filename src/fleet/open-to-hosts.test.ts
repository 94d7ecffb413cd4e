import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { HostFiles } from './host-files.ts';
import { openToHosts } from './open-to-hosts.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tin-init-'));
  await mkdir(join(folder, 'etc'));
});
afterEach(() => rm(folder, { recursive: true }));

async function installed(settings: string): Promise<void> {
  const files = {
    'try-it-now.env': settings,
    'valkey.conf': 'bind 127.0.0.1\n',
    'nats.conf': 'listen: 127.0.0.1:4222\n',
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, 'etc', name), text);
}

const open = (address?: string): Promise<string> =>
  openToHosts({ files: new HostFiles(join(folder, 'etc')), unitsFolder: join(folder, 'units'), address, nowMs: 0 });

it('refuses a host that is not installed', async () => {
  await expect(open()).rejects.toThrow(/has not all of try-it-now.env, valkey.conf and nats.conf; run `make install`/);
  expect(await readdir(folder, { recursive: true })).toEqual(['etc']);
});

it('refuses an address that is public, of another host, or reached by nobody else', async () => {
  await installed('BASE_DOMAIN=localhost\n');
  const before = await readdir(folder, { recursive: true });
  for (const address of ['203.0.113.1', '10.255.255.254', '127.0.0.1', 'first.example.org'])
    await expect(open(address), address).rejects.toThrow(`${address} is no private IPv4 address of this host`);
  expect(await readdir(folder, { recursive: true })).toEqual(before);
});

it('leaves servers alone that are elsewhere', async () => {
  for (const setting of [
    'VALKEY_URL=valkeys://10.255.255.254:6379',
    'VALKEY_URL=valkey+sentinel://127.0.0.1:26379,10.255.255.254:26379/try-it-now',
    'VALKEY_ADDR=10.255.255.254:6379',
    'NATS_URL=nats://127.0.0.1:4222,nats://queue.example.org:4222',
  ]) {
    await installed(`${setting}\n`);
    await expect(open(), setting).rejects.toThrow(`${setting.replace('=', ' is ')}, so Valkey or NATS is not`);
    expect(await readFile(join(folder, 'etc/valkey.conf'), 'utf8')).toBe('bind 127.0.0.1\n');
  }
});

it('goes on to the address where they are its own', async () => {
  await installed('VALKEY_ADDR=127.0.0.1:6379\nNATS_URL=nats://localhost:4222\n');
  await expect(open('203.0.113.1')).rejects.toThrow('203.0.113.1 is no private IPv4 address');
});
