import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../src/config/load.ts';
import { explainFailure } from '../src/domain/explain-failure.ts';
import type { LastSeen } from '../src/domain/failure-facts.ts';
import type { Template } from '../src/domain/template.ts';
import { HttpProbe } from '../src/runtime/readiness/http-probe.ts';

/** The part of a template that the advice is about, as lines of YAML. */
type Keys = Readonly<Record<string, string>>;

const VISITOR = { scheme: 'http', host: 'label.localhost:8000' } as const;
const TIMEOUT_MS = 60_000;

/** `/healthz` and `/page` answer 200; `/` leads to `/login` where it is a login, and all else has the status. */
let status = 200;
const app = createServer(({ url, headers }, response) => {
  if (url === '/healthz' || url === '/page') response.writeHead(200).end();
  else if (url === '/internal') response.writeHead(headers.host === 'localhost' ? 200 : 403).end();
  else if (url === '/to-login') response.writeHead(302, { location: '/login' }).end();
  else response.writeHead(status).end();
});
let origin: string;
beforeAll(async () => {
  await once(app.listen(0, '127.0.0.1'), 'listening');
  origin = `http://127.0.0.1:${(app.address() as AddressInfo).port}`;
});
afterAll(() => void app.close());

function parsed(keys: Keys): Template {
  const lines = Object.entries({ name: 'app', image: 'app', port: '80', ...keys });
  const text = `templates:\n  -${lines
    .map(([key, value]) => `    ${key}: ${value}\n`)
    .join('')
    .slice(3)}`;
  const [template] = loadConfig({ TEMPLATES_FILE: 'app.yaml' }, () => text).config.templates;
  if (template === undefined) throw new Error('a file with one template has one');
  return template;
}

/** What the app was first seen to do wrong: asked by the check, then for its pages as visitors ask for them. */
async function firstFailure({ readiness, warmup }: Template): Promise<LastSeen | undefined> {
  const probe = new HttpProbe();
  const never = new AbortController().signal;
  if (readiness.kind === 'http') {
    const { path, statuses, host } = readiness;
    const target = { url: origin + path, visitor: VISITOR, statuses, host, timeoutMs: TIMEOUT_MS };
    const { ok, seen } = await probe.look(target, never);
    if (!ok) return seen;
  }
  const orStatuses = readiness.kind === 'http' ? readiness.statuses : undefined;
  const least = readiness.kind === 'http' ? readiness.path : '/';
  for (const path of warmup.length > 0 ? warmup : [least]) {
    const { ok, seen } = await probe.look(
      { url: origin + path, visitor: VISITOR, orStatuses, timeoutMs: TIMEOUT_MS },
      never,
    );
    if (!ok) return seen;
  }
  return undefined;
}

function adviceOn(template: Template, seen: LastSeen): string {
  const step = { code: 'not_ready_in_time', message: '' } as const;
  return explainFailure({ template, step, ended: undefined, oomKills: 0, listening: undefined, seen, output: '' })
    .remedy;
}

/** What it leaves a choice between, word for word; where it leaves a path open, the page that there is. */
function waysOf(keys: Keys, advice: string): Keys[] {
  const ways = advice.split(/; otherwise |, or name another |\. If visitors/).map((way) => {
    const next: Record<string, string> = { ...keys };
    const [, readiness] = /readiness: (\{ http: \{ .*? \} \})/.exec(way) ?? [];
    if (readiness !== undefined) next['readiness'] = readiness.replace('/…', '/page');
    if (/\bopen\b/.test(way)) next['open'] = '/page';
    if (/\bwarmup\b/.test(way) && ('warmup' in keys || !/\bopen\b/.test(way))) next['warmup'] = '[/page]';
    return next;
  });
  // Others are changes of the app.
  return ways.filter((way) => JSON.stringify(way) !== JSON.stringify(keys));
}

const SHAPES: readonly Keys[] = [
  {},
  { readiness: '{ path: /healthz }' },
  { readiness: '{ http: /healthz }' },
  { readiness: '{ http: { path: /healthz, status: 200 } }' },
  { readiness: '{ http: { path: /internal, host: localhost } }' },
  { readiness: '{ path: /to-login }' },
  { readiness: '{ tcp: true }' },
  { readiness: '{ exec: [/app/ready] }' },
];
const PAGES: readonly Keys[] = [
  {},
  { open: '/to-login' },
  { warmup: '[]' },
  { warmup: '[/a]' },
  { open: '/page', warmup: '[/page, /to-login]' },
];
/** Asked for its health alone, which is always good, an app has nothing wrong with it. */
const isWell = ({ readiness = '', warmup }: Keys): boolean => readiness.includes('/healthz') && warmup === '[]';
const BOTH = SHAPES.flatMap((shape) => PAGES.map((pages): Keys => ({ ...shape, ...pages }))).filter(
  (keys) => !isWell(keys),
);

describe('the advice on an app, followed word for word', () => {
  it.each(BOTH.flatMap((keys) => [401, 403, 404, 418, 429].map((answered) => [answered, keys] as const)))(
    'gets past status %i with %j',
    async (answered, keys) => {
      status = answered;
      const failed = await firstFailure(parsed(keys));
      if (failed === undefined) expect.fail('nothing was wrong with it');
      const advice = adviceOn(parsed(keys), failed);
      const ways = waysOf(keys, advice);
      expect(ways, advice).not.toEqual([]);
      for (const way of ways) {
        const again = await firstFailure(parsed(way));
        if (again === undefined) continue;
        // One thing after the other may be wrong, but not the same again.
        expect(again, advice).not.toEqual(failed);
        const [next = {}] = waysOf(way, adviceOn(parsed(way), again));
        expect(await firstFailure(parsed(next)), advice).toBeUndefined();
      }
    },
  );

  it('names the Host that a path of the check takes, where visitors open others', async () => {
    const keys = { readiness: '{ path: /internal }', open: '/page' };
    const failed = await firstFailure(parsed(keys));
    const advice = adviceOn(parsed(keys), failed ?? { kind: 'refused' });
    expect(advice).toContain('readiness: { http: { path: /internal, host: localhost } }');
    const [literal = ''] = /\{ http: \{ path: \/internal, host: localhost \} \}/.exec(advice) ?? [];
    expect(await firstFailure(parsed({ ...keys, readiness: literal }))).toBeUndefined();
  });
});
