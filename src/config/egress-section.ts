import { EGRESS, type Egress } from '../domain/egress.ts';
import { bool } from './parsers.ts';
import type { YamlSection } from './yaml-section.ts';

/** Yes, no, or what else may be reached. */
export function readEgress(section: YamlSection): Egress | undefined {
  if (!section.has('egress') || section.isSingle('egress'))
    return section.read('egress', bool)?.value === true ? EGRESS : undefined;
  const choice = section.section('egress', ['mail']);
  return { mail: choice.read('mail', bool)?.value ?? EGRESS.mail };
}
