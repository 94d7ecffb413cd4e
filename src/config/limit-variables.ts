import { GATE_MODES } from '../domain/gate-mode.ts';
import { duration, integer, oneOf } from './parsers.ts';
import type { group } from './variable.ts';

/** How much one client, or one network of clients, may have of the pools. */
export const limitVariables = (pool: ReturnType<typeof group>) => ({
  RATE_LIMIT_HOURLY: pool.required(
    integer(0, 1_000_000, 60),
    '60',
    'How many instances one client address (one /64 for IPv6) may take in an hour. 0: no limit.',
  ),
  RATE_LIMIT_DAILY: pool.required(integer(0, 1_000_000, 300), '300', 'The same for a day. 0: no limit.'),
  HELD_LIMIT: pool.required(
    integer(0, 10_000, 2),
    '2',
    'How many instances one client address (one /64 for IPv6) may hold at once, and one visitor by their cookie. Who ' +
      'sends an API key, and who is on this machine, may hold any number. 0: no limit.',
  ),
  HELD_LIMIT_NETWORK: pool.required(
    integer(0, 10_000, 8),
    '8',
    'The same for all addresses of one /48 of IPv6 together. 0: no limit.',
  ),
  HARM_REMEMBERED: pool.required(
    duration('0s', '1d', '1h'),
    '1h',
    'For how long it is remembered of an address (a /48 for IPv6) and of a browser that a visit of theirs was ended ' +
      'because it harmed others (disk, output, processor, database, processes). So they prove work before they ' +
      'get another, twice as much after each such end; with an API key or an allowance nobody has to. 0s: not at all.',
  ),
  HARM_PAUSE: pool.required(
    duration('0s', '1d', '1m'),
    '1m',
    'For how long they get nothing after the second such end; twice as long after each further one, up to ' +
      'HARM_REMEMBERED. Up to half of it comes on top by chance, so that a crowd does not come back in one moment. ' +
      '0s: they never have to wait.',
  ),
  GATE_MODE: pool.required(
    oneOf(GATE_MODES),
    'auto',
    'Whether a browser has to prove some work before it gets an instance, which takes it a moment. auto: while few ' +
      'are ready, somebody waits, or far more are taken than usual. on: always. off: never. Nobody on this machine, ' +
      'with an API key or with an allowance has to.',
  ),
  GATE_DIFFICULTY: pool.required(
    integer(1_000, 10_000_000, 100_000),
    '100000',
    'How much work: half as many hashes on average. 100,000 take a phone about a second.',
  ),
});
