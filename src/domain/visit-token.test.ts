import { expect, it } from 'vitest';
import { newHostLabel, newInstanceId } from './ids.ts';
import { isVisitOf, labelOfVisit, visitToken, withoutSecrets } from './visit-token.ts';

const key = { id: newInstanceId(), label: newHostLabel(), owner: 'visitor:one' };

it('is of one instance and one owner, and names the instance by its label alone', () => {
  const token = visitToken(key);
  expect(token).toMatch(/^[\w-]{42}$/);
  expect(token).not.toContain(key.id);
  expect(labelOfVisit(token)).toBe(key.label);
  expect(isVisitOf(token, key)).toBe(true);
  for (const other of [{ id: newInstanceId() }, { label: newHostLabel() }, { owner: 'visitor:two' }])
    expect(isVisitOf(token, { ...key, ...other })).toBe(false);
});

it.each(['', 'x', newHostLabel(), `${newHostLabel()}.${'a'.repeat(21)}`, `${visitToken(key)}a`])(
  '%j is none',
  (text) => {
    expect(labelOfVisit(text)).toBeUndefined();
    expect(isVisitOf(text, key)).toBe(false);
  },
);

it('stands in a log without what governs the visit', () => {
  const token = visitToken(key);
  const written = withoutSecrets(`/visit/${token}/open?open=%2Fcart`);
  expect(written).toBe(`/visit/${token.slice(0, 8)}…/open?open=%2Fcart`);
  expect(withoutSecrets('/try/hello')).toBe('/try/hello');
  expect(withoutSecrets('/wait/hello/events?visitor=one&since=2')).toBe('/wait/hello/events?visitor=…&since=2');
  expect(withoutSecrets(`/api/v1/demo/${key.id}/status?token=a.b`)).toBe(`/api/v1/demo/${key.id}/status?token=…`);
  expect(withoutSecrets(`/api/v1/waiting/hello.${'a'.repeat(22)}/events`)).toBe('/api/v1/waiting/hello.…/events');
});
