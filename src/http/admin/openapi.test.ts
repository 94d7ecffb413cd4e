import { readFile } from 'node:fs/promises';
import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, it } from 'vitest';
import { adminOpenApiDocument } from './openapi-document.ts';

describe('the OpenAPI document of the admin API', () => {
  it('is what docs/reference/admin-openapi.json holds; `npm run generate` renews it', async () => {
    const committed = await readFile(new URL('../../../docs/reference/admin-openapi.json', import.meta.url), 'utf8');
    expect(JSON.parse(committed)).toEqual(JSON.parse(JSON.stringify(await adminOpenApiDocument())));
  });

  it('is valid OpenAPI 3.1, asks for a key everywhere, and needs a body only where it says what to do', async () => {
    const document = JSON.parse(JSON.stringify(await adminOpenApiDocument())) as {
      security: unknown;
      paths: Record<string, Record<string, { requestBody?: { required?: boolean }; security?: unknown }>>;
    };
    expect((await new Validator().validate(document)).errors ?? []).toEqual([]);
    expect(document.security).toEqual([{ operatorKey: [] }]);
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, ...operation })),
    );
    expect(operations.filter(({ security }) => security !== undefined)).toEqual([]);
    expect(
      operations
        .filter(({ requestBody }) => requestBody?.required === true)
        .map(({ name }) => name)
        .sort(),
    ).toEqual([
      'post /admin/v1/queue/purge',
      'put /admin/v1/allowances/{network}',
      'put /admin/v1/bans/{network}',
      'put /admin/v1/pools/{template}/events/{event}',
      'put /admin/v1/pools/{template}/target',
      'put /admin/v1/previews/{preview}',
    ]);
  });
});
