import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Authority, type Certificate } from '../../test/support/certificates.ts';
import type { TryItNowError } from '../domain/errors.ts';
import type { ValkeyAccess } from '../store/valkey-access.ts';
import type { Environment } from './environment.ts';
import { loadConfig } from './load.ts';

let dir: string;
let one: Certificate;
let two: Certificate;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'tin-valkey-settings-'));
  const authority = await Authority.create(dir);
  one = await authority.certify('DNS:one');
  two = await authority.certify('DNS:two');
});
afterAll(() => rmSync(dir, { recursive: true }));

const access = (env: Environment): ValkeyAccess => loadConfig(env).config.valkey;

function problems(env: Environment): readonly string[] {
  try {
    loadConfig(env);
  } catch (error) {
    return (error as TryItNowError).details?.['problems'] as string[];
  }
  return [];
}

describe('VALKEY_URL', () => {
  it.each([
    ['valkey://10.0.0.1:6380', { host: '10.0.0.1', port: 6380, tls: undefined, sentinel: undefined }],
    ['redis://valkey.example.org', { host: 'valkey.example.org', port: 6379 }],
    ['rediss://valkey.example.org/0', { tls: { ca: undefined } }],
    ['valkeys://[fd00::1]:6380/', { host: 'fd00::1', port: 6380, tls: {} }],
    [
      'valkeys+sentinel://10.0.0.1,10.0.0.2:26380/try-it-now',
      {
        host: '10.0.0.1',
        port: 26_379,
        tls: {},
        sentinel: {
          master: 'try-it-now',
          endpoints: [
            { host: '10.0.0.1', port: 26_379 },
            { host: '10.0.0.2', port: 26_380 },
          ],
        },
      },
    ],
    ['redis+sentinel://[::1]:16379/m', { host: '::1', tls: undefined, sentinel: { master: 'm' } }],
  ])('%s is understood', (VALKEY_URL, expected) => {
    expect(access({ VALKEY_URL })).toMatchObject(expected);
  });

  it.each([
    ['valkey://user:geheim@host:6379', /VALKEY_USER and VALKEY_PASSWORD are for them/],
    ['valkey://host:6379/3', /database 0 is always used/],
    ['valkey://one:6379,two:6379', /with \+sentinel after the scheme/],
    ['valkey+sentinel://one:26379', /the name are needed/],
    ['valkey+sentinel://one:26379/', /the name are needed/],
    ['valkey+sentinel://one:26379,/m', /an address in it is not right/],
    ['valkey://', /an address in it is not right/],
    ['valkey://host:99999', /an address in it is not right/],
    ['http://host:6379', /it must be valkey:\/\/host:port/],
    ['host:6379', /it must be valkey:\/\/host:port/],
  ])('%s is refused', (VALKEY_URL, why) => {
    const found = problems({ VALKEY_URL });
    expect(found).toEqual([expect.stringMatching(/^VALKEY_URL is /)]);
    expect(found[0]).toMatch(why);
    expect(found[0]).not.toContain('geheim');
  });
});

describe('settings of Valkey', () => {
  it('belong together', () => {
    expect(
      access({
        VALKEY_URL: 'valkeys+sentinel://one,two/m',
        VALKEY_USER: 'server',
        VALKEY_PASSWORD: 'secret',
        VALKEY_SENTINEL_USER: 'asker',
        VALKEY_SENTINEL_PASSWORD: 'other',
        VALKEY_CA_FILE: two.certFile,
        VALKEY_CERT_FILE: one.certFile,
        VALKEY_KEY_FILE: one.keyFile,
      }),
    ).toMatchObject({
      user: 'server',
      password: 'secret',
      sentinel: { user: 'asker', password: 'other' },
      tls: {
        ca: two.cert,
        cert: one.cert,
        key: one.key,
      },
    });
  });

  it.each([
    [
      { VALKEY_ADDR: '127.0.0.1:6379', VALKEY_URL: 'valkey://127.0.0.1:6379' },
      'VALKEY_ADDR and VALKEY_URL are both set',
    ],
    [{ VALKEY_USER: 'server' }, 'VALKEY_USER is set but VALKEY_PASSWORD is not'],
    [{ VALKEY_CA_FILE: '/ca.pem' }, 'VALKEY_CA_FILE is set but TLS is not asked for'],
    [{ VALKEY_SENTINEL_PASSWORD: 'geheim' }, 'VALKEY_SENTINEL_PASSWORD is set but no Sentinel is named'],
    [{ VALKEY_URL: 'valkeys://h', VALKEY_CERT_FILE: '/c.pem' }, 'VALKEY_CERT_FILE and VALKEY_KEY_FILE belong together'],
    [{ VALKEY_URL: 'valkeys://h', VALKEY_CA_FILE: '/nonexistent.pem' }, 'VALKEY_CA_FILE names "/nonexistent.pem"'],
    [{ VALKEY_URL: 'valkeys://h', VALKEY_CA_FILE: '/etc/hostname' }, 'VALKEY_CA_FILE names "/etc/hostname"'],
  ])('that contradict each other or cannot be read are refused: %o', (env, says) => {
    const found = problems(env);
    expect(found.map((problem) => problem.slice(0, says.length))).toEqual([says]);
    expect(found.join()).not.toContain('geheim');
  });

  it('have the key of their certificate', () => {
    expect(
      problems({
        VALKEY_URL: 'valkeys://h',
        VALKEY_CERT_FILE: one.certFile,
        VALKEY_KEY_FILE: two.keyFile,
      }),
    ).toEqual([expect.stringMatching(/^VALKEY_KEY_FILE is not the key of VALKEY_CERT_FILE/)]);
  });
});
