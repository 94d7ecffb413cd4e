import { readFile } from 'node:fs/promises';
import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, it } from 'vitest';
import { startHttp } from '../../test/support/http-server.ts';
import { openApiDocument } from './openapi-document.ts';

describe('the OpenAPI document', () => {
  it('is what docs/reference/openapi.json holds; `npm run generate` renews it', async () => {
    const committed = await readFile(new URL('../../docs/reference/openapi.json', import.meta.url), 'utf8');
    expect(JSON.parse(committed)).toEqual(JSON.parse(JSON.stringify(await openApiDocument())));
  });

  it('is valid OpenAPI 3.1', async () => {
    const validator = new Validator();
    const result = await validator.validate(
      JSON.parse(JSON.stringify(await openApiDocument())) as Record<string, unknown>,
    );
    expect(result.errors ?? []).toEqual([]);
    expect(validator.version).toBe('3.1');
  });

  it('says that an acquire needs no body', async () => {
    const document = (await openApiDocument()) as {
      paths: Record<string, { post?: { requestBody?: { required?: boolean } } }>;
    };
    expect(document.paths['/api/v1/demo/acquire']?.post?.requestBody?.required).toBe(false);
    expect(document.paths['/api/v1/demo/{id}/extend']?.post?.requestBody?.required).toBe(true);
  });

  it('is served, and describes exactly the API: no page and no address twice', async () => {
    await using http = await startHttp();
    const served = (await (await fetch(`${http.url}/api/openapi.json`)).json()) as {
      paths: Record<string, Record<string, unknown>>;
    };
    expect(served).toEqual(JSON.parse(JSON.stringify(await openApiDocument())));
    const operations = Object.entries(served.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    expect(operations.sort()).toEqual([
      'delete /api/v1/demo/{id}',
      'delete /api/v1/waiting/{place}',
      'get /api/openapi.json',
      'get /api/v1/demo/{id}',
      'get /api/v1/demo/{id}/export',
      'get /api/v1/demo/{id}/status',
      'get /api/v1/pool/stats',
      'get /api/v1/templates',
      'get /api/v1/waiting/{place}',
      'get /api/v1/waiting/{place}/events',
      'get /health',
      'get /metrics',
      'get /ready',
      'post /api/v1/demo/acquire',
      'post /api/v1/demo/{id}/extend',
      'post /api/v1/demo/{id}/use',
      'post /api/v1/waiting',
    ]);
  });
});
