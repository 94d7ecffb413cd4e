import createSerializerFactory, { type SerializerFactory } from '@fastify/fast-json-stringify-compiler';
import { PROBLEM_REFERENCE } from './schemas/problem.ts';

/**
 * As Fastify's own, but for problems, which `sendProblem` sends as text: to compile their schema for each status of
 * each route was half of what a server's routes took of a processor at its start.
 */
export const buildSerializer: SerializerFactory = (schemas, options) => {
  const compile = createSerializerFactory()(schemas, options);
  return (route) => (isProblem(route.schema) ? JSON.stringify : compile(route));
};

function isProblem(schema: unknown): boolean {
  return typeof schema === 'object' && schema !== null && '$ref' in schema && schema.$ref === PROBLEM_REFERENCE.$ref;
}
