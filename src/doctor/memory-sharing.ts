import type { Template } from '../domain/template.ts';
import type { PageMerging } from '../pool/interfaces/page-merging.ts';
import type { ContainerEngine, ContainerEngineBehaviour } from '../runtime/engine.ts';
import { ok, warning, type Check, type Observation } from './check.ts';

const WHAT = 'shared memory';
const MIB = 2 ** 20;

interface Parts {
  readonly templates: readonly Pick<Template, 'name' | 'memory'>[];
  readonly merging: Pick<PageMerging, 'read'>;
  readonly engine: Pick<ContainerEngine, 'title'> & Pick<ContainerEngineBehaviour, 'whyNotShared'>;
}

/** Only where a template asks for it. */
export function memorySharingChecks(parts: Parts): readonly Check[] {
  const asking = parts.templates.filter(({ memory }) => memory === 'share').map(({ name }) => name);
  if (asking.length === 0) return [];
  return [{ part: 'Host', what: WHAT, run: async () => [await look(asking, parts)] }];
}

async function look(asking: readonly string[], { merging, engine }: Parts): Promise<Observation> {
  const why =
    engine.whyNotShared === undefined ? `${engine.title} starts all containers alike` : await engine.whyNotShared();
  if (why !== undefined)
    return warning(
      WHAT,
      `instances of ${asking.join(', ')} take as much memory as others: ${why}`,
      'Podman on Linux 6.4 or newer can; or take `memory: share` out of the template.',
    );
  const state = await merging.read();
  const saved =
    state === undefined ? 'nothing is known of what it saves' : `saves ${Math.round(state.savedBytes / MIB)} MiB now`;
  return ok(WHAT, `${asking.join(', ')}: ${saved}`);
}
