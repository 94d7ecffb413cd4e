import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger';

/** Of the admin API, not of the program: raised when a client would have to change. */
const API_VERSION = '1.0.0';

export const ADMIN_OPENAPI_OPTIONS: FastifyDynamicSwaggerOptions = {
  hideUntagged: true,
  refResolver: {
    buildLocalReference: (schema, _base, _fragment, index) =>
      typeof schema['$id'] === 'string' ? schema['$id'] : `def-${index}`,
  },
  transformObject: (document) => {
    if (!('openapiObject' in document)) return document.swaggerObject;
    // JSON Schema has no word for "or no body at all".
    for (const path of Object.values(document.openapiObject.paths ?? {})) {
      const body = path?.post?.requestBody;
      if (body !== undefined && 'content' in body && path?.post?.operationId !== 'purgeQueue') body.required = false;
    }
    return document.openapiObject;
  },
  openapi: {
    openapi: '3.1.0',
    info: {
      title: 'Try It Now, for operators',
      version: API_VERSION,
      description:
        'What an operator may do while the server runs, on a listener of its own (ADMIN_ADDR). Every failure is ' +
        'an RFC 9457 problem with a stable `code`; every changing call is kept in the audit log. ' +
        'Who has the role `viewer` is answered with names of visits (the first 24 hexadecimal digits of the SHA-256 ' +
        'of the id) wherever an id of an instance stands for others: an id governs its instance at the public API.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/', description: 'This server.' }],
    tags: [
      { name: 'pools', description: 'Pause, drain, resume and scale a template while it runs.' },
      { name: 'templates', description: 'What is on offer, reloaded without a restart.' },
      { name: 'previews', description: 'Copies of templates with another image, which end by themselves.' },
      { name: 'instances', description: 'Every instance there is, no matter who holds it.' },
      { name: 'nodes', description: 'The hosts that hold instances.' },
      { name: 'images', description: 'What the names of images stand for, and how new ones come to visitors.' },
      { name: 'queue', description: 'The tasks that build instances and take them down.' },
      { name: 'funnel', description: 'What came of the clicks.' },
      { name: 'webhooks', description: 'Those who are told what happens in visits.' },
      { name: 'networks', description: 'Networks of clients that get nothing, or more than others.' },
      { name: 'sessions', description: 'Who is logged in to the dashboard.' },
      { name: 'audit', description: 'Who did what.' },
    ],
    components: {
      securitySchemes: {
        operatorKey: { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'One of OPERATOR_KEYS.' },
      },
    },
    security: [{ operatorKey: [] }],
  },
};
