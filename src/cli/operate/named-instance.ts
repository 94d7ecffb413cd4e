import { InstancesBody } from '../../http/admin/schemas.ts';
import { TryItNowError } from '../../domain/errors.ts';
import { isInstanceId, isVisitName } from '../../domain/ids.ts';
import { labelOfVisit } from '../../domain/visit-token.ts';
import type { AdminClient } from '../admin-client.ts';

/** A host name's first label, also in an address that was made unclickable (`hxxps://…[.]`), and a visit's own. */
const IN_HOST = /(?:^|\/\/)([a-z2-7]{20})(?![a-z2-7])/i;

/** What people send who found something: an instance's address or host name. Undefined where none is in it. */
export function labelIn(text: string): string | undefined {
  if (isVisitName(text)) return undefined;
  const [, token] = /\/visit\/([\w-]+)/.exec(text) ?? [];
  return labelOfVisit(token ?? '') ?? IN_HOST.exec(text.trim())?.[1]?.toLowerCase();
}

/** The id of what is named by its id or its address; the name of a visit stays as it is. Throws unknown_instance. */
export async function idOf(client: AdminClient, named: string): Promise<string> {
  const label = isInstanceId(named) ? undefined : labelIn(named);
  if (label === undefined) return named;
  const { instances } = await client.ask(InstancesBody, 'GET', '/instances');
  const found = instances.find(({ url }) => url !== null && new URL(url).hostname.startsWith(`${label}.`));
  if (found !== undefined) return found.id;
  throw new TryItNowError(
    'unknown_instance',
    `No instance has the address ${label}…: it has ended already, and its address leads nowhere any more, ever`,
  );
}
