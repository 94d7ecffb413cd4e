import { Resolver } from 'node:dns/promises';
import { describeError } from '../domain/errors.ts';
import type { Template } from '../domain/template.ts';
import { isOutside } from '../runtime/isolation/public-addresses.ts';
import { ok, warning, type Check, type Observation } from './check.ts';

const LOOKUP_MS = 2_000;
type LookUp = (host: string) => Promise<readonly string[]>;

/** Of each template that says where its instances may connect to: whether the names lead there. */
export function egressNamesChecks(templates: readonly Template[], lookUp: LookUp = hostsOwn()): Check[] {
  return templates.flatMap(({ name, egress }) => {
    const hosts = [...new Set(egress?.allow?.map(({ host }) => host))];
    const what = `egress of ${name}`;
    return hosts.length === 0 ? [] : [{ part: 'Engine', what, run: async () => [await look(what, hosts, lookUp)] }];
  });
}

async function look(what: string, hosts: readonly string[], lookUp: LookUp): Promise<Observation> {
  const each = await Promise.all(
    hosts.map(async (host) =>
      lookUp(host).then(
        (addresses) => (addresses.some(isOutside) ? undefined : `${host} leads to no public IPv4 address`),
        (error: unknown) => `${host} is not found (${describeError(error)})`,
      ),
    ),
  );
  const wrong = each.filter((text) => text !== undefined);
  return wrong.length === 0
    ? ok(what, `${hosts.length} names, all of which lead outside`)
    : warning(
        what,
        `instances do not get there: ${wrong.join('; ')}`,
        "Correct egress.allow of the template, or the host's name servers.",
      );
}

function hostsOwn(): LookUp {
  const resolver = new Resolver({ timeout: LOOKUP_MS, tries: 1 });
  return (host) => resolver.resolve4(host);
}
