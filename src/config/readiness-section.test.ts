import { expect, it } from 'vitest';
import { problems, template, withLines } from '../../test/support/catalogue.ts';
import { templateVersion } from '../domain/template.ts';

const TIMES = { timeoutMs: 60_000, requestTimeoutMs: 10_000, intervalMs: undefined };
const HTTP = { kind: 'http', path: '/', statuses: undefined, host: undefined };

it.each<[string, object]>([
  ['{ path: /a }', { ...HTTP, path: '/a' }],
  ['{ http: /a }', { ...HTTP, path: '/a' }],
  ['{ http: { path: /a } }', { ...HTTP, path: '/a' }],
  ['{ http: { status: 401 } }', { ...HTTP, statuses: [{ from: 401, to: 401 }] }],
  ['{ http: { status: 200-399 } }', { ...HTTP, statuses: [{ from: 200, to: 399 }] }],
  [
    '{ http: { status: [200 - 299, 401], host: "localhost:80" } }',
    {
      ...HTTP,
      statuses: [
        { from: 200, to: 299 },
        { from: 401, to: 401 },
      ],
      host: 'localhost:80',
    },
  ],
  ['{ tcp: true }', { kind: 'tcp' }],
  ['{ exec: [sh, -c, "true"] }', { kind: 'exec', command: ['sh', '-c', 'true'] }],
  ['{}', HTTP],
  [
    '{ timeout: 5s, request_timeout: 3s, interval: 20ms }',
    {
      ...HTTP,
      timeoutMs: 5_000,
      requestTimeoutMs: 3_000,
      intervalMs: 20,
    },
  ],
])('readiness: %s', (text, expected) => {
  expect(template(`readiness: ${text}`).readiness).toEqual({ ...TIMES, ...expected });
});

it('looks after an instance as it became ready, unless it is told otherwise', () => {
  expect(template('readiness: { tcp: true }').health).toBeUndefined();
  expect(template('readiness: { tcp: true }', 'health: { path: /alive }').health).toMatchObject({
    kind: 'http',
    path: '/alive',
    requestTimeoutMs: 10_000,
  });
  expect(template('readiness: { tcp: true }', 'health: { request_timeout: 1s }').health).toMatchObject({
    kind: 'tcp',
    requestTimeoutMs: 1_000,
  });
  expect(template('health: { path: /alive }').replaceSlow).toBe(true);
  expect(template('health: { replace_slow: false }')).toMatchObject({ health: HTTP, replaceSlow: false });
});

it('is warmed up where visitors land, unless it names other paths', () => {
  expect(template('open: /wiki/#top').warmup).toEqual(['/wiki/']);
  expect(template('open: { default: /a, allow: [/b] }').warmup).toEqual(['/a']);
  expect(template('open: /wiki/\n    warmup: []').warmup).toEqual([]);
});

it.each<[string, RegExp]>([
  ['readiness: { path: /, tcp: true }', /readiness has path and tcp; it must have one of them/],
  ['readiness: { tcp: false }', /readiness\.tcp is false/],
  ['readiness: { http: { status: 99 } }', /readiness\.http\.status is "99"; it must be a status or a range/],
  ['readiness: { http: { status: [399-200] } }', /the range ends before it begins/],
  ['readiness: { http: { status: [] } }', /readiness\.http\.status is an empty list/],
  ['readiness: { http: { host: "a b" } }', /readiness\.http\.host is "a b"; it must be a host name/],
  ['readiness: { http: { url: / } }', /readiness\.http\.url is not known/],
  ['readiness: { exec: [] }', /readiness\.exec is an empty list/],
  ['readiness: { request_timeout: 3 }', /readiness\.request_timeout is "3" \(the unit is missing\)/],
  ['health: { timeout: 3s }', /health\.timeout is not known/],
])('refuses %s', (line, problem) => {
  expect(problems(withLines(line)).join('\n')).toMatch(problem);
});

it('keeps the version of a template that names a path only, whatever else of it can be set', () => {
  const plain = templateVersion(template('readiness: { path: /a }'));
  expect(templateVersion(template('readiness: { path: /a, interval: 1s }', 'health: { tcp: true }'))).toBe(plain);
  expect(templateVersion(template('readiness: { http: { path: /a, status: [200] } }'))).not.toBe(plain);
  expect(templateVersion(template('readiness: { tcp: true }'))).not.toBe(plain);
});
