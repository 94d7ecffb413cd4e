import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger';

/** Of the API, not of the program: raised when a client would have to change. */
const API_VERSION = '1.0.0';

export const OPENAPI_OPTIONS: FastifyDynamicSwaggerOptions = {
  hideUntagged: true,
  refResolver: {
    buildLocalReference: (schema, _base, _fragment, index) =>
      typeof schema['$id'] === 'string' ? schema['$id'] : `def-${index}`,
  },
  transformObject: (document) => {
    if (!('openapiObject' in document)) return document.swaggerObject;
    // JSON Schema has no word for "or no body at all".
    const body = document.openapiObject.paths?.['/api/v1/demo/acquire']?.post?.requestBody;
    if (body !== undefined && 'content' in body) body.required = false;
    return document.openapiObject;
  },
  openapi: {
    openapi: '3.1.0',
    info: {
      title: 'Try It Now',
      version: API_VERSION,
      description:
        'Hands a visitor a running app of their own, from a pool of warm ones. Every failure is an RFC 9457 ' +
        'problem with a stable `code`.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/', description: 'This server.' }],
    tags: [
      { name: 'demo', description: 'Take an instance, look at it, keep it longer, give it back.' },
      { name: 'waiting', description: 'A place in the line where none is ready.' },
      { name: 'catalogue', description: 'What can be tried, and how much of it there is.' },
      { name: 'operations', description: 'For those who run the server.' },
    ],
    components: {
      securitySchemes: {
        apiKey: {
          type: 'apiKey',
          in: 'header',
          name: 'X-API-Key',
          description: 'Needed only where the operator has set keys.',
        },
      },
    },
  },
};

/** On a route that asks for a key where keys are set; `{}` says that without keys none is needed. */
export const KEYED = [{ apiKey: [] }, {}];
