import { withVisitNames } from '../../domain/ids.ts';
import { ACTION_ROLES, mayAct } from '../../domain/operator-role.ts';
import type { App } from '../context.ts';
import type { Caller, Callers } from './callers.ts';

/** An id ends its instance at the public API, where nobody is asked for a role: it is for who may end it here, too. */
export function seesIds({ role }: Pick<Caller, 'role'>): boolean {
  return mayAct(role, ACTION_ROLES['instance.release']);
}

/**
 * Who may only look is answered with the names of visits instead, whatever the route: also where an app or an error
 * spells an id, and on pages. Call before any route is added. A response that a route takes over is left to it.
 */
export function keepIdsBack(app: App, callers: Callers): void {
  app.addHook('onSend', (request, _reply, payload, done) => {
    const caller = callers.of(request);
    const isFree = typeof payload !== 'string' || caller === undefined || seesIds(caller);
    done(null, isFree ? payload : withVisitNames(payload));
  });
}
