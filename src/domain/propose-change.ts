import { explainFailure } from './explain-failure.ts';
import { isLoopback, type FailureFacts } from './failure-facts.ts';
import { hintIn } from './failure-hints.ts';
import type { TemplateChange } from './template-change.ts';

const USUALLY_TLS: ReadonlySet<number> = new Set([443, 8443, 9443]);

/** The change that `explainFailure` puts into words, where there is one to try; undefined where a person decides. */
export function proposeChange(facts: FailureFacts): TemplateChange | undefined {
  const { template, step, ended, listening = [], seen, output } = facts;
  // What is tried is changed at the app itself.
  if (step.service !== undefined) return undefined;
  if (explainFailure(facts).code === 'out_of_memory') return { kind: 'more_memory' };
  if (seen?.kind === 'answered') return seen.status === 401 ? { kind: 'ready_status', status: 401 } : undefined;
  if (seen?.kind === 'circles') return undefined;
  const elsewhere = listening.filter(({ address, port }) => !isLoopback(address) && port !== template.port);
  if (seen?.kind === 'tls') {
    const [plain, another] = new Set(elsewhere.map(({ port }) => port).filter((port) => !USUALLY_TLS.has(port)));
    // Never back to one that was tried: it was none of these.
    const isSure = USUALLY_TLS.has(template.port) && plain !== undefined && another === undefined;
    return isSure ? { kind: 'port', port: plain } : undefined;
  }
  const here = listening.filter(({ port }) => port === template.port);
  const there = here.length > 0;
  const [other] = elsewhere;
  if (ended === undefined && !there && other !== undefined) return { kind: 'port', port: other.port };
  // Told by the port alone: an engine's own resolver may listen on a loopback address, too.
  if (ended === undefined && there && here.every(({ address }) => isLoopback(address))) return { kind: 'listen' };
  return hintIn(`${step.message}\n${output}`)?.change;
}
