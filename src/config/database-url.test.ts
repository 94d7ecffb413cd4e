import { expect, it } from 'vitest';
import type { TryItNowError } from '../domain/errors.ts';
import type { Environment } from './environment.ts';
import { loadConfig } from './load.ts';
import { loadRelayConfig } from './relay-config.ts';

const RELAYED = { DATABASE_SOCKET: '/run/try-it-now-database/mariadb/mysqld.sock', DATABASE_PASSWORD: 'secret' };

function problems(env: Environment): string {
  try {
    loadConfig(env);
  } catch (error) {
    return (error as TryItNowError).message;
  }
  return '';
}

it.each([
  ['mariadb://10.0.0.9', { host: '10.0.0.9', port: 3306 }],
  ['mysql://db.example.org:3307/', { host: 'db.example.org', port: 3307 }],
  ['mariadb://[fd00::9]', { host: 'fd00::9', port: 3306 }],
  ['mariadb://[fd00::9]:3307', { host: 'fd00::9', port: 3307 }],
])('%s is a server that nodes share', (url, server) => {
  const env = { ...RELAYED, DATABASE_SERVER_URL: url };
  expect(loadConfig(env).config.databases.mariadb?.shared).toEqual(server);
  expect(loadRelayConfig(env).relays).toEqual([{ engine: 'mariadb', socketPath: RELAYED.DATABASE_SOCKET, server }]);
});

it('is passed on without the password that only workers need', () => {
  const env = {
    DATABASE_SOCKET: RELAYED.DATABASE_SOCKET,
    DATABASE_SERVER_URL: 'mariadb://10.0.0.9',
    POSTGRES_SOCKET: '/run/try-it-now-database/postgresql/.s.PGSQL.5432',
    POSTGRES_SERVER_URL: 'postgresql://10.0.0.9',
  };
  expect(loadRelayConfig(env).relays.map(({ server }) => server.port)).toEqual([3306, 5432]);
  expect(loadConfig(env).config.databases).toEqual({});
});

it.each([
  ['postgresql://10.0.0.9', 'it must be mariadb://host:port'],
  ['mariadb://root:secret@10.0.0.9', 'it must not carry a user name or password'],
  ['mariadb://10.0.0.9/shop', 'it must be mariadb://host:port'],
  ['mariadb://10.0.0.9:70000', 'it must be mariadb://host:port'],
  ['10.0.0.9:3306', 'it must be mariadb://host:port'],
])('%s is refused', (url, why) => {
  expect(problems({ ...RELAYED, DATABASE_SERVER_URL: url })).toContain(why);
});

it('a server without the socket that is to lead to it is refused, with an example', () => {
  const said = problems({ DATABASE_SERVER_URL: 'mariadb://10.0.0.9', POSTGRES_SERVER_URL: 'postgresql://10.0.0.9' });
  expect(said).toContain('DATABASE_SERVER_URL is set but DATABASE_SOCKET is not');
  expect(said).toContain('/run/try-it-now-database/postgresql/.s.PGSQL.5432');
});
