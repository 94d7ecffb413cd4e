import { pino } from 'pino';
import { TryItNowError } from '../../domain/errors.ts';
import { createAdminServer } from './admin-server.ts';
import type { Operators } from './operators.ts';

/** The OpenAPI document of the admin API, from the schemas that validate; nothing is started for it. */
export async function adminOpenApiDocument(): Promise<object> {
  const server = await createAdminServer({
    operators: NOBODY,
    audit: { record: nothing, recent: nothing },
    log: pino({ level: 'silent' }),
    publicUrl: 'http://localhost:8080',
    operatorKeys: [],
    sessions: { open: nothing, find: nothing, list: nothing, end: nothing },
    sessionMs: 0,
    login: undefined,
    dashboardUrl: undefined,
    pages: undefined,
  });
  try {
    return server.app.swagger();
  } finally {
    await server.close(0);
  }
}

function nothing(): Promise<never> {
  return Promise.reject(new TryItNowError('shutting_down', 'This server only describes itself'));
}

function never(): never {
  throw new TryItNowError('shutting_down', 'This server only describes itself');
}

const NOBODY: Operators = {
  catalogue: nothing,
  reloadTemplates: nothing,
  previews: nothing,
  preview: nothing,
  putPreview: nothing,
  removePreview: nothing,
  pools: nothing,
  history: nothing,
  failures: nothing,
  pause: nothing,
  images: nothing,
  checkImage: nothing,
  holdImage: nothing,
  releaseImage: nothing,
  rollBackImage: nothing,
  nodes: nothing,
  node: nothing,
  cordon: nothing,
  drainNode: nothing,
  uncordon: nothing,
  removeNode: nothing,
  drain: nothing,
  resume: nothing,
  setTarget: nothing,
  poolEvents: nothing,
  putPoolEvent: nothing,
  removePoolEvent: nothing,
  instances: nothing,
  instance: nothing,
  endInstance: nothing,
  logs: nothing,
  queue: nothing,
  tasks: nothing,
  deadTasks: nothing,
  dropTask: nothing,
  retryTask: nothing,
  forgetDeadTask: nothing,
  retryAllTasks: nothing,
  purge: nothing,
  funnel: nothing,
  webhooks: nothing,
  deadEvents: nothing,
  testWebhook: nothing,
  replayWebhook: never,
  suspects: nothing,
  harm: nothing,
  forgive: nothing,
  networkRules: nothing,
  ban: nothing,
  allow: nothing,
  removeNetworkRule: nothing,
  checkpoints: nothing,
  createCheckpoint: never,
  verifyCheckpoint: nothing,
  promoteCheckpoint: nothing,
  rollbackCheckpoint: nothing,
  pruneCheckpoints: nothing,
  diagnose: never,
  diagnosed: never,
  jobs: never,
};
