// Writes docs/reference/openapi.json from the schemas that validate. A test fails while the file is stale.
import { mkdir, writeFile } from 'node:fs/promises';
import { openApiDocument } from '../src/http/openapi-document.ts';

const target = new URL('../docs/reference/openapi.json', import.meta.url);
await mkdir(new URL('.', target), { recursive: true });
await writeFile(target, `${JSON.stringify(await openApiDocument(), undefined, 2)}\n`);
