import { expect, it } from 'vitest';
import { ProblemBody, problems } from './schemas/problem.ts';
import { buildSerializer } from './serializers.ts';

it('leaves out of an answer what its schema does not name, and compiles nothing for problems', () => {
  const compile = buildSerializer({ Problem: ProblemBody });
  const route = { method: 'GET', url: '/', httpStatus: '200' };
  const named = { type: 'object', properties: { id: { type: 'string' } } };
  expect(compile({ ...route, schema: named })({ id: 'one', secret: 'two' })).toBe('{"id":"one"}');
  const [problem] = Object.values(problems('unknown_instance')) as { content: Record<string, { schema: unknown }> }[];
  for (const { schema } of Object.values(problem?.content ?? {}))
    expect(compile({ ...route, httpStatus: '404', schema })).toBe(JSON.stringify);
  expect.assertions(2);
});
