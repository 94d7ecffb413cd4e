import { describeError } from '../domain/errors.ts';
import { REPAIR_KINDS, type RepairKind } from '../pool/interfaces/observer.ts';
import { detectDrift, type Drift, type DriftDeps, type Scope } from '../pool/detect-drift.ts';
import { failure, notChecked, ok, warning, type Check, type Observation, type Shared } from './check.ts';

const PART = 'Recorded state';
const SHOWN = 3;
/** The listing of an engine under load takes its time. */
const DETECTION_MS = 15_000;
/** What takes memory, disk or a place in a pool, and grows. */
const ORPHANS: readonly RepairKind[] = ['container', 'network', 'database', 'record'];

/** What there is without a record, and records without what they name. */
export function driftChecks(
  parts: Shared<DriftDeps>,
  scope: () => Promise<Scope>,
  serverIsUp: () => Promise<boolean>,
): Check[] {
  return [
    {
      part: PART,
      what: 'in order',
      limitMs: DETECTION_MS,
      run: async () => {
        const found = await detectDrift(await parts.need(), await scope());
        return [...findings(found, await serverIsUp()), ...uncheckedKinds(found)];
      },
    },
  ];
}

function findings({ findings: found, unchecked }: Drift, serverIsUp: boolean): Observation[] {
  const remedy = serverIsUp
    ? 'The server repairs it within half a minute; at once: `try-it-now reconcile`.'
    : 'Repair it with `try-it-now reconcile`, or start the server; with it stopped, `try-it-now clean-demos` removes ' +
      'everything.';
  const observations = REPAIR_KINDS.flatMap((kind) => {
    const some = found.filter((finding) => finding.kind === kind);
    if (some.length === 0) return [];
    const shown = some
      .slice(0, SHOWN)
      .map(({ what, why }) => `${what}: ${why}`)
      .join('; ');
    const seen = `${some.length} (${shown}${some.length > SHOWN ? '; …' : ''})`;
    return [
      (ORPHANS.includes(kind) || kind === 'forwarding' ? failure : warning)(
        ORPHANS.includes(kind) ? `stray ${kind}s` : `${kind}s`,
        seen,
        remedy,
      ),
    ];
  });
  return observations.length > 0 || unchecked.length > 0
    ? observations
    : [ok('in order', 'nothing is there without a record, no record without what it names')];
}

function uncheckedKinds({ unchecked }: Drift): Observation[] {
  return unchecked.map(({ kinds, error }) => notChecked(kinds.join(', '), describeError(error)));
}
