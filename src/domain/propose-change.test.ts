import { describe, expect, it } from 'vitest';
import { DEFAULT_READINESS } from './readiness.ts';
import type { FailureFacts } from './failure-facts.ts';
import { proposeChange } from './propose-change.ts';

const FACTS: FailureFacts = {
  template: {
    image: 'app',
    port: 3000,
    limits: { memoryBytes: 2 ** 28, cpus: 1, pids: 128 },
    readiness: DEFAULT_READINESS,
    open: '/',
    warmup: ['/'],
  },
  step: { code: 'not_ready_in_time', message: 'it was not ready' },
  ended: undefined,
  oomKills: 0,
  listening: [],
  seen: { kind: 'refused' },
  output: '',
};

describe('the change to try', () => {
  it.each<[string, Partial<FailureFacts>, unknown]>([
    ['killed for memory', { ended: { exitCode: 137, oomKilled: true } }, { kind: 'more_memory' }],
    [
      'asks for a login',
      { seen: { kind: 'answered', status: 401, path: '/', host: 'a' } },
      { kind: 'ready_status', status: 401 },
    ],
    [
      'speaks TLS, and has one port more',
      {
        template: { ...FACTS.template, port: 8443 },
        listening: [8443, 8080].flatMap((port) => ['0.0.0.0', '::'].map((address) => ({ address, port }))),
        seen: { kind: 'tls' },
      },
      { kind: 'port', port: 8080 },
    ],
    ['listens on another port', { listening: [{ address: '0.0.0.0', port: 8000 }] }, { kind: 'port', port: 8000 }],
    ['listens on the loopback address', { listening: [{ address: '127.0.0.1', port: 3000 }] }, { kind: 'listen' }],
    [
      'may not change its user',
      {
        ended: { exitCode: 1, oomKilled: false },
        output: 'nginx: [emerg] setgid(101) failed (1: Operation not permitted)',
      },
      { kind: 'capabilities', add: ['SETGID', 'SETUID'] },
    ],
    ['finds no further process', { output: "RuntimeError: can't start new thread" }, { kind: 'more_pids' }],
  ])('of an app that %s is the one key', (_, facts, change) => {
    expect(proposeChange({ ...FACTS, ...facts })).toEqual(change);
  });

  it.each<[string, Partial<FailureFacts>]>([
    ['ends without a word', { ended: { exitCode: 3, oomKilled: false } }],
    [
      'listens where it should, and elsewhere',
      {
        listening: [
          { address: '0.0.0.0', port: 3000 },
          { address: '::', port: 81 },
        ],
      },
    ],
    [
      'has a service that may not change owners',
      { step: { code: 'container_failed', message: 'The service db (a) ended: chown: EPERM', service: 'db' } },
    ],
    [
      'speaks TLS where that says nothing of another port',
      { listening: [{ address: '::', port: 8080 }], seen: { kind: 'tls' } },
    ],
    [
      'redirects without end',
      { seen: { kind: 'circles', path: '/', toHttps: true }, listening: [{ address: '::', port: 1 }] },
    ],
    ['does not take its name', { seen: { kind: 'answered', status: 403, path: '/', host: 'a' } }],
  ])('of an app that %s is left to a person', (_, facts) => {
    expect(proposeChange({ ...FACTS, ...facts })).toBeUndefined();
  });
});
