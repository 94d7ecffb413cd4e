import { pino } from 'pino';
import { TryItNowError } from '../domain/errors.ts';
import type { Demos } from './demos.ts';
import { createServer } from './server.ts';

/** The OpenAPI document as the server serves it, from the schemas that validate; nothing is started for it. */
export async function openApiDocument(): Promise<object> {
  const server = await createServer({
    demos: NO_DEMOS,
    log: pino({ level: 'silent' }),
    publicUrl: 'http://localhost:8080',
    apiKeys: [],
    trustedProxies: [],
    metrics: { contentType: 'text/plain', text: () => Promise.resolve('') },
  });
  try {
    return server.app.swagger();
  } finally {
    await server.close(0);
  }
}

const nothing = () => Promise.reject(new TryItNowError('shutting_down', 'This server only describes itself'));

const NO_DEMOS: Demos = {
  acquire: nothing,
  acquireOrWait: nothing,
  places: nothing,
  leave: nothing,
  find: nothing,
  findByLabel: nothing,
  findMany: nothing,
  extend: nothing,
  release: nothing,
  recordUse: nothing,
  unusedEndMs: () => undefined,
  visit: nothing,
  enter: nothing,
  offersExport: () => false,
  exportWork: nothing,
  callToActionClicked: nothing,
  leads: { keep: nothing, isKept: nothing, forget: nothing, tellKept: nothing, give: nothing, visitOf: nothing },
  stats: nothing,
  controls: nothing,
  url: (label) => `http://${label}.localhost/`,
  templates: () => [],
  template: () => undefined,
};
