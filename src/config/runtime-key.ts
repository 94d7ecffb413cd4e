/** What starts a template's containers. */
import type { Egress } from '../domain/egress.ts';
import { OCI_RUNTIMES, type OciRuntime, type Template } from '../domain/template.ts';
import { oneOf } from './parsers.ts';
import type { YamlSection } from './yaml-section.ts';

const RUNTIME = oneOf(OCI_RUNTIMES);
const MEMORY = oneOf(['private', 'share', 'swap'] as const);

/** What does not work in a sandbox, with the reason. */
const NOT_IN_A_SANDBOX = {
  services: 'containers in sandboxes of their own cannot share a network',
  database: "the host could no longer count and bound an instance's connections to the database server",
} as const;

/** A combination that does not work is reported at the key that is in the way. */
export function readRuntime(section: YamlSection, egress: Egress | undefined): OciRuntime | undefined {
  const runtime = section.read('runtime', RUNTIME)?.value;
  if (runtime !== 'runsc') return runtime;
  for (const [key, why] of Object.entries(NOT_IN_A_SANDBOX))
    if (section.has(key))
      section.report(`runtime: runsc and ${key} do not go together: ${why}; take out one of them`, key);
  if (egress !== undefined)
    section.report(
      'runtime: runsc and egress do not go together: in a sandbox, whoever makes a user name space forges packets, ' +
        'which would lead past the bound on connections; take out one of them',
      'egress',
    );
  const checkpoint = section.section('checkpoint', undefined);
  if (checkpoint.has('file'))
    section.report(
      'runtime: runsc and checkpoint.file do not go together: only what runc runs is restored from a checkpoint; ' +
        'take out one of them',
      'checkpoint',
    );
  return runtime;
}

/** A sandbox keeps its app's memory in a file, of which the kernel merges nothing; from swap it was never tried. */
export function readMemory(section: YamlSection): Template['memory'] {
  const memory = section.read('memory', MEMORY)?.value ?? 'private';
  if (memory !== 'private' && section.read('runtime', RUNTIME)?.value === 'runsc')
    section.report(
      `runtime: runsc and memory: ${memory} do not go together: the kernel does not see the memory of the app`,
      'memory',
    );
  return memory;
}
