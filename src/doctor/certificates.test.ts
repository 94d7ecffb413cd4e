import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { expect, it, onTestFinished } from 'vitest';
import { Authority } from '../../test/support/certificates.ts';
import { certificateChecks } from './certificates.ts';

const DAY_MS = 86_400_000;

/** A site on this host whose certificate holds for 90 days. */
async function startSite(name = 'localhost'): Promise<number> {
  const dir = await mkdtemp(join(tmpdir(), 'tin-certificates-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  const { cert, key } = await (await Authority.create(dir)).certify(`DNS:${name}`, 90);
  const server = createServer({ cert, key }).listen(0, 'localhost');
  onTestFinished(() => new Promise((closed) => server.close(() => closed())));
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const plain = { scheme: 'http', baseDomain: 'demo.example.org', port: undefined } as const;

it('tells a certificate that holds from one that nobody renews and one that has ended', async () => {
  const publicUrl = `https://localhost:${await startSite()}`;
  for (const [days, verdict, seen] of [
    [0, 'ok', /^ends on 20\d\d-\d\d-\d\dT\d\d:\d\dZ$/],
    [74, 'ok', /^ends on/],
    [78, 'warning', /should have been renewed/],
    [91, 'failure', /^ended on .*browsers refuse/],
  ] as const) {
    const now = Date.now() + days * DAY_MS;
    const [check, ...others] = certificateChecks({ publicUrl, address: plain }, { now: () => now });
    expect(others).toEqual([]);
    expect([days, await check?.run()]).toMatchObject([
      days,
      [{ what: 'certificate of localhost', verdict, seen: expect.stringMatching(seen) as string }],
    ]);
  }
});

it('judges no certificate that is for another name', async () => {
  const publicUrl = `https://localhost:${await startSite('router.example.org')}`;
  const [check] = certificateChecks({ publicUrl, address: plain }, { now: () => Date.now() + 91 * DAY_MS });
  expect(await check?.run()).toMatchObject([
    { verdict: 'not_looked_at', seen: expect.stringMatching(/router/) as string },
  ]);
});

it('asks for the names of instances too, is silent without https, and fails nothing it cannot reach', async () => {
  expect(certificateChecks({ publicUrl: 'http://localhost:8080', address: plain })).toEqual([]);
  const address = { scheme: 'https', baseDomain: 'localhost', port: 1 } as const;
  const [check] = certificateChecks({ publicUrl: 'http://localhost:8080', address });
  expect(check?.what).toBe('certificate of *.localhost');
  expect(await check?.run()).toMatchObject([{ verdict: 'not_looked_at' }]);
});
