import { describe, expect, it } from 'vitest';
import { ACTS } from '../../src/dashboard/actions.ts';
import { newInstanceId } from '../../src/domain/ids.ts';
import { OPERATOR_ROLES, type OperatorRole } from '../../src/domain/operator-role.ts';
import { adminOpenApiDocument } from '../../src/http/admin/openapi-document.ts';

/** Everything that changes something, with the least role that may. */
const LEAST: Readonly<Record<string, OperatorRole>> = {
  'post /admin/v1/pools/{template}/pause': 'operator',
  'post /admin/v1/pools/{template}/drain': 'operator',
  'post /admin/v1/pools/{template}/resume': 'operator',
  'put /admin/v1/pools/{template}/target': 'operator',
  'put /admin/v1/pools/{template}/events/{event}': 'operator',
  'delete /admin/v1/pools/{template}/events/{event}': 'operator',
  'post /admin/v1/templates/reload': 'operator',
  'put /admin/v1/previews/{preview}': 'operator',
  'delete /admin/v1/previews/{preview}': 'operator',
  'delete /admin/v1/instances/{id}': 'operator',
  'post /admin/v1/nodes/{node}/cordon': 'operator',
  'post /admin/v1/nodes/{node}/drain': 'operator',
  'post /admin/v1/nodes/{node}/uncordon': 'operator',
  'delete /admin/v1/nodes/{node}': 'admin',
  'post /admin/v1/images/{image}/check': 'operator',
  'post /admin/v1/images/{image}/hold': 'operator',
  'post /admin/v1/images/{image}/release': 'operator',
  'post /admin/v1/images/{image}/rollback': 'operator',
  'delete /admin/v1/queue/tasks/{sequence}': 'operator',
  'post /admin/v1/queue/purge': 'admin',
  'post /admin/v1/queue/dead/{sequence}/retry': 'operator',
  'post /admin/v1/queue/dead/retry': 'operator',
  'delete /admin/v1/queue/dead/{sequence}': 'operator',
  'post /admin/v1/webhooks/{webhook}/test': 'operator',
  'post /admin/v1/webhooks/{webhook}/replay': 'operator',
  'put /admin/v1/bans/{network}': 'operator',
  'delete /admin/v1/bans/{network}': 'operator',
  'put /admin/v1/allowances/{network}': 'operator',
  'delete /admin/v1/allowances/{network}': 'operator',
  'delete /admin/v1/harm/{who}': 'operator',
  'post /admin/v1/pools/{template}/checkpoints': 'operator',
  'post /admin/v1/pools/{template}/checkpoint/rollback': 'operator',
  'post /admin/v1/checkpoints/{id}/verify': 'operator',
  'post /admin/v1/checkpoints/{id}/promote': 'operator',
  'post /admin/v1/checkpoints/prune': 'admin',
  'post /admin/v1/doctor': 'operator',
  'get /admin/v1/sessions': 'admin',
  'delete /admin/v1/sessions/{session}': 'admin',
};
/** What a build may with a key of the role `previews`. */
const FOR_PREVIEWS: readonly string[] = [
  'get /admin/v1/previews',
  'get /admin/v1/previews/{preview}',
  'put /admin/v1/previews/{preview}',
  'delete /admin/v1/previews/{preview}',
];
const LEAST_OF_ACTS: Readonly<Record<string, OperatorRole>> = {
  'queue.purge': 'admin',
  'checkpoint.prune': 'admin',
  'node.remove': 'admin',
  'sessions.end': 'admin',
};
const document = (await adminOpenApiDocument()) as {
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
};
const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.keys(methods).map((method) => `${method} ${path}`),
);

export type AskRoute = (
  method: string,
  path: string,
  body: object | undefined,
) => Promise<{ status: number; code: unknown }>;

/** Somebody who is logged in, one way or another. */
export interface RoleHolder {
  readonly route: AskRoute;
  act(name: string, fields: Readonly<Record<string, string>>): Promise<Response>;
}

/** Each role on each route of the API and on each button: refused is what needs a higher one, and nothing else. */
export function triesEveryRole(holders: (role: OperatorRole) => RoleHolder): void {
  it('knows the least role of every route that changes something', () => {
    const changing = routes.filter((route) => !route.startsWith('get '));
    expect(changing.filter((route) => LEAST[route] === undefined)).toEqual([]);
    expect(Object.keys(LEAST).filter((route) => !routes.includes(route))).toEqual([]);
  });

  describe.each(OPERATOR_ROLES)('%s', (role) => {
    it.each(routes)('%s', async (route) => {
      expect(await isRefused(route, holders(role).route)).toBe(!may(role, LEAST[route] ?? 'viewer'));
    });

    it.each(Object.keys(ACTS))('the button of %s', async (name) => {
      const nothing = { on: 'nothing-there', name: 'nothing-there', network: 'nothing-there' };
      const fields = { ...nothing, held: '1', keep: '1', which: 'dead' };
      const answer = await holders(role).act(name, fields);
      const refused = answer.status === 403 && (await answer.text()).includes('role_too_low');
      expect(refused).toBe(!may(role, LEAST_OF_ACTS[name] ?? 'operator'));
    });
  });
}

/** A key of the role `previews` on each route of the API: only what is about previews is not refused. */
export function triesRoutesForPreviews(ask: AskRoute): void {
  it('of which every one that is for it is there', () => {
    expect(FOR_PREVIEWS.filter((route) => !routes.includes(route))).toEqual([]);
  });

  it.each(routes)('%s', async (route) => {
    expect(await isRefused(route, ask)).toBe(!FOR_PREVIEWS.includes(route));
  });
}

/** For the role. */
async function isRefused(route: string, ask: AskRoute): Promise<boolean> {
  const [method = '', path = ''] = route.split(' ');
  const body = method === 'get' || method === 'delete' ? undefined : { which: 'provision' };
  const filled = path.replace('{id}', newInstanceId()).replaceAll(/\{\w+\}/g, 'nothing-there');
  const { status, code } = await ask(method.toUpperCase(), filled, body);
  return status === 403 && code === 'role_too_low';
}

function may(role: OperatorRole, least: OperatorRole): boolean {
  return OPERATOR_ROLES.indexOf(role) >= OPERATOR_ROLES.indexOf(least);
}
