import openapiTS, { astToString } from 'openapi-typescript';
import { openApiDocument } from '../src/http/openapi-document.ts';

const NOTICE = '// Made by `npm run generate` from the OpenAPI document; change the schemas in src/http instead.\n';

/** The API as TypeScript has it, for packages/client. */
export async function clientTypes(): Promise<string> {
  const document = JSON.stringify(await openApiDocument());
  return NOTICE + astToString(await openapiTS(document));
}
