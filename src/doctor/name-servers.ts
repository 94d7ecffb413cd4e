import { Resolver } from 'node:dns/promises';
import { describeError } from '../domain/errors.ts';
import type { Template } from '../domain/template.ts';
import { failure, notChecked, ok, warning, type Check, type Observation } from './check.ts';

const LOOKUP_MS = 2_000;
/** No template can allow it: nobody has a name that ends so. */
const REFUSED = 'try-it-now-doctor.invalid';
const NOT_FOUND = 'ENOTFOUND';

type LookUp = (server: string, host: string) => Promise<readonly string[]>;

/**
 * Of each template that says where its instances may connect to: whether its own name server answers the first of the
 * names, and no other. `serverOf`: its address; undefined while nobody can ask it, since no instance runs.
 */
export function nameServerChecks(
  templates: readonly Template[],
  serverOf: (template: Template) => string | undefined,
  lookUp: LookUp = ask,
): Check[] {
  return templates.flatMap((template): Check[] => {
    const [first] = template.egress?.allow ?? [];
    if (first === undefined) return [];
    const what = `name server of ${template.name}`;
    const run = async (): Promise<Observation[]> => {
      const server = serverOf(template);
      if (server === undefined) return [notChecked(what, 'no instance of it runs yet')];
      return [await look(what, { server, host: first.host }, lookUp)];
    };
    return [{ part: 'Engine', what, run }];
  });
}

async function look(
  what: string,
  { server, host }: { readonly server: string; readonly host: string },
  lookUp: LookUp,
): Promise<Observation> {
  const [refused, allowed] = await Promise.allSettled([lookUp(server, REFUSED), lookUp(server, host)]);
  if (refused.status === 'fulfilled' || codeOf(refused.reason) !== NOT_FOUND) {
    const seen =
      refused.status === 'fulfilled'
        ? `another program answers at ${server}, port 53: it says where ${REFUSED} is`
        : `nobody answers at ${server}, port 53 (${describeError(refused.reason)})`;
    return failure(
      what,
      `instances look no names up: ${seen}`,
      'Start the server; while it runs, have no other name server listen on all addresses: its log says why.',
    );
  }
  if (allowed.status === 'fulfilled') return ok(what, `answers ${host} at ${server}, and no name that is not allowed`);
  return warning(
    what,
    `it answers at ${server}, but does not say where ${host} is (${describeError(allowed.reason)})`,
    "Correct egress.allow of the template, or the host's name servers.",
  );
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

function ask(server: string, host: string): Promise<readonly string[]> {
  const resolver = new Resolver({ timeout: LOOKUP_MS, tries: 1 });
  resolver.setServers([server]);
  return resolver.resolve4(host);
}
