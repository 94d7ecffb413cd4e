// Writes docs/reference/openapi.json and admin-openapi.json from the schemas that validate. A test
// fails while one is stale.
import { mkdir, writeFile } from 'node:fs/promises';
import { adminOpenApiDocument } from '../src/http/admin/openapi-document.ts';
import { openApiDocument } from '../src/http/openapi-document.ts';

const folder = new URL('../docs/reference/', import.meta.url);
await mkdir(folder, { recursive: true });
for (const [name, document] of [
  ['openapi.json', await openApiDocument()],
  ['admin-openapi.json', await adminOpenApiDocument()],
] as const) {
  await writeFile(new URL(name, folder), `${JSON.stringify(document, undefined, 2)}\n`);
}
