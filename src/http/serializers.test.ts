import { expect, it } from 'vitest';
import { ProblemBody, problems } from './schemas/problem.ts';
import { buildSerializer } from './serializers.ts';

const compile = buildSerializer({ Problem: ProblemBody });
const route = { method: 'GET', url: '/' };

it('leaves out of an answer what its schema does not name', () => {
  const schema = { type: 'object', properties: { id: { type: 'string' } } };
  expect(compile({ ...route, httpStatus: '200', schema })({ id: 'one', secret: 'two' })).toBe('{"id":"one"}');
});

it('compiles nothing for problems', () => {
  const answers = Object.entries(problems('unknown_instance', 'key_missing', 'store_unavailable')) as [
    string,
    { content: Record<string, { schema: unknown }> },
  ][];
  const serializers = answers.flatMap(([httpStatus, { content }]) =>
    Object.values(content).map(({ schema }) => compile({ ...route, httpStatus, schema })),
  );
  expect(serializers).toEqual([JSON.stringify, JSON.stringify, JSON.stringify]);
});
